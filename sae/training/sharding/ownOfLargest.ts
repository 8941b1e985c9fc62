/**
 * The largest values over all processes, found by each from the values of all. Values that are not finite count as the largest, as
 * they do in the encoders. Of equal values those of lower latents are kept, which are those of lower ranks and, within one, those listed first.
 */

import type { Candidates, EntryList } from '../../ops/candidates.ts';

/**
 * Of the candidates that this process has (`own`, at most `each` a row, which are its largest), those among the k largest of all processes
 * that are positive. Undefined where some process may have more of the k largest in a row than it has given: `each` is too small then. It
 * never is from k on.
 */
export function ownOfLargest(own: EntryList, { all, rank, k, each }: Candidates): EntryList | undefined {
  const rows = own.rowStart.length - 1;
  const ranks = all.length / (rows * each);
  const keys = new Int32Array(ranks * each);
  const order = new Int32Array(ranks * each);
  const rowStart = new Int32Array(rows + 1);
  const indices = new Int32Array(own.indices.length);
  const values = new Float32Array(own.values.length);
  const bits = new Int32Array(all.buffer, all.byteOffset, all.length);
  let count = 0;
  for (let b = 0; b < rows; b++) {
    for (let r = 0, at = 0; r < ranks; r++)
      for (let from = (r * rows + b) * each, to = from + each; from < to; from++)
        keys[at++] = keyOf(bits[from]);
    order.set(keys);
    const bar = keys.length <= k ? 0 : kthLargestKey(order, k);
    let places = k;
    for (let r = 0, at = 0; r < ranks; r++) {
      let least = nanKey;
      for (let i = 0; i < each; i++, at++) {
        const key = keys[at];
        if (key < least) least = key;
        // Places that are left for values equal to the bar, once lower ranks have taken theirs.
        if (key > bar || (key === bar && r < rank)) places--;
      }
      if (each < k && least > 0 && least >= bar) return undefined;
    }
    const mine = rank * each;
    for (let e = own.rowStart[b], at = mine; e < own.rowStart[b + 1]; e++, at++) {
      const key = keys[at];
      if (key === 0 || key < bar || (key === bar && places-- <= 0)) continue;
      indices[count] = own.indices[e];
      values[count++] = own.values[e];
    }
    rowStart[b + 1] = count;
  }
  return { rowStart, indices: indices.slice(0, count), values: values.slice(0, count) };
}

/** Whole numbers in the order of the values, from 0 for what is not positive to `nanKey`. */
const nanKey = 0x7fffffff;
function keyOf(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return nanKey;
  return bits > 0 ? bits : 0;
}

/** Reorders the keys (Hoare's selection). */
function kthLargestKey(keys: Int32Array, k: number): number {
  const wanted = keys.length - k;
  let low = 0;
  let high = keys.length - 1;
  while (low < high) {
    const pivot = middle(keys[low], keys[(low + high) >> 1], keys[high]);
    let i = low;
    let j = high;
    while (i <= j) {
      while (keys[i] < pivot) i++;
      while (keys[j] > pivot) j--;
      if (i > j) break;
      const key = keys[i];
      keys[i++] = keys[j];
      keys[j--] = key;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else break;
  }
  return keys[wanted];
}

function middle(a: number, b: number, c: number): number {
  if (a > b) return b > c ? b : a > c ? c : a;
  return a > c ? a : b > c ? c : b;
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
