/**
 * The largest values over all processes, found by each from the values of all. Values that are not finite count as the largest, as
 * they do in the encoders. Of equal values those of lower latents are kept, which are those of lower ranks and, within one, those listed first.
 */

/** A list of entries by rows, on the host. */
export interface EntryList {
  readonly rowStart: Int32Array; // [rows + 1]
  readonly indices: Int32Array; // ascending within a row
  readonly values: Float32Array;
}

/**
 * Of the `k` candidates a row that this process has (`own`, padded with 0), those among the k largest of all processes that are
 * positive. `all` [ranks × rows × k] holds the candidates of every process by rank.
 */
export function ownOfLargest(own: EntryList, all: Float32Array, rank: number, k: number): EntryList {
  const rows = own.rowStart.length - 1;
  const ranks = all.length / (rows * k);
  const row = new Float32Array(ranks * k);
  const rowStart = new Int32Array(rows + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (let b = 0; b < rows; b++) {
    for (let r = 0; r < ranks; r++) row.set(all.subarray((r * rows + b) * k, (r * rows + b + 1) * k), r * k);
    const bar = kthLargest(row.slice(), k);
    // Places that are left for values equal to the bar, once lower ranks have taken theirs.
    let places = k;
    for (const value of row) if (exceeds(value, bar)) places--;
    for (let i = 0; i < rank * k; i++) if (equals(row[i], bar)) places--;
    for (let e = own.rowStart[b]; e < own.rowStart[b + 1]; e++) {
      const value = own.values[e];
      const kept = exceeds(value, bar) || (equals(value, bar) && places-- > 0);
      if (!kept || value === 0) continue;
      indices.push(own.indices[e]);
      values.push(value);
    }
    rowStart[b + 1] = indices.length;
  }
  return { rowStart, indices: Int32Array.from(indices), values: Float32Array.from(values) };
}

/** Typed arrays sort NaN behind all numbers. */
function kthLargest(values: Float32Array, k: number): number {
  values.sort();
  return values[values.length - k];
}

const exceeds = (value: number, bar: number) => value > bar || (Number.isNaN(value) && !Number.isNaN(bar));
const equals = (value: number, bar: number) => value === bar || (Number.isNaN(value) && Number.isNaN(bar));

/** The least of the `count` largest values, and how many equal to it are among them; 0 and none where there are no more than `count`. */
export function barOfBatch(values: Float32Array, count: number): { bar: number; equal: number } {
  if (values.length <= count) return { bar: 0, equal: 0 };
  const bar = kthLargest(values.slice(), count);
  let above = 0;
  for (const value of values) if (exceeds(value, bar)) above++;
  return { bar, equal: count - above };
}

/**
 * The entries of this process that are above the bar, and those equal to it that are among the first `equal` of all processes: by rows,
 * and in a row by rank. `tiesByRow` [ranks × rows] counts the entries of each process that equal the bar.
 */
export function ownAboveBar(
  own: EntryList,
  { bar, equal }: { bar: number; equal: number },
  tiesByRow: Int32Array,
  rank: number,
): EntryList {
  const rows = own.rowStart.length - 1;
  const ranks = tiesByRow.length / rows;
  const rowStart = new Int32Array(rows + 1);
  const indices: number[] = [];
  const values: number[] = [];
  let left = equal;
  for (let b = 0; b < rows; b++) {
    let mine = left;
    for (let r = 0; r < rank; r++) mine -= tiesByRow[r * rows + b];
    for (let e = own.rowStart[b]; e < own.rowStart[b + 1]; e++) {
      const value = own.values[e];
      if (!exceeds(value, bar) && !(equals(value, bar) && mine-- > 0)) continue;
      indices.push(own.indices[e]);
      values.push(value);
    }
    for (let r = 0; r < ranks; r++) left -= tiesByRow[r * rows + b];
    rowStart[b + 1] = indices.length;
  }
  return { rowStart, indices: Int32Array.from(indices), values: Float32Array.from(values) };
}

/** How many entries of each row equal the bar. */
export function tiesOfRows({ rowStart, values }: EntryList, bar: number): Int32Array {
  const ties = new Int32Array(rowStart.length - 1);
  for (let b = 0; b < ties.length; b++)
    for (let e = rowStart[b]; e < rowStart[b + 1]; e++) if (equals(values[e], bar)) ties[b]++;
  return ties;
}
