/** Candidates of several processes for the k largest of each row, where the latents of a dictionary are spread over them. */

/** A list of entries by rows, on the host. */
export interface EntryList {
  readonly rowStart: Int32Array; // [rows + 1]
  readonly indices: Int32Array; // ascending within a row
  readonly values: Float32Array;
}

export interface Candidates {
  /** [ranks × rows × each]: the values of every process's candidates by rank, padded with 0. */
  readonly all: Float32Array;
  /** Which of the processes asks. */
  readonly rank: number;
  /** How many are wanted of a row. */
  readonly k: number;
  /** How many each process has sent of a row, its largest. */
  readonly each: number;
}
