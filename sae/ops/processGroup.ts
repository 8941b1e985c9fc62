/** Processes that compute together, as far as a backend has to know of them. Every call but `atEnd` is made by all of them. */
export interface ProcessGroup {
  /** Which of the processes this is, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Fills `all` [size × bytes of `own`] with what each process gives, by rank. */
  allGather(own: ArrayBufferView, all: ArrayBufferView): void;
  /** All get what process 0 has in `values`. */
  broadcast(values: ArrayBufferView): void;
  /** `run` is to be called before the processes part in good order. */
  atEnd(run: () => void): void;
}
