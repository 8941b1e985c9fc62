/** How long the rows of a hook point are, and what the longest of them weigh. */
import type { Capture } from './openCapture.ts';

/** ‖x‖ of every row of a capture at one hook point [rows], training rows first. */
export function rowNorms(capture: Capture, hook: string, progress?: (rows: number) => void): Float32Array {
  const rows = capture.trainRows + capture.heldOutRows;
  const norms = new Float32Array(rows);
  for (let from = 0; from < rows; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - from);
    writeNorms(capture, hook, norms.subarray(from, from + count), from);
    progress?.(from + count);
  }
  return norms;
}

/** The same of a capture that is fetched as it is read. */
export async function fetchedRowNorms(capture: Capture, hook: string): Promise<Float32Array> {
  const rows = capture.trainRows + capture.heldOutRows;
  const norms = new Float32Array(rows);
  for (let from = 0; from < rows; from += fetchedAtOnce) {
    const count = Math.min(fetchedAtOnce, rows - from);
    await capture.streaming?.ready(hook, from, count, [from + count, rows]);
    writeNorms(capture, hook, norms.subarray(from, from + count), from);
  }
  return norms;
}

const rowsAtOnce = 4096;
/** Fewer, whose shards are all on this disk at once. */
const fetchedAtOnce = 128;

function writeNorms(capture: Capture, hook: string, norms: Float32Array, from: number): void {
  const d = capture.width(hook);
  const x = capture.readRows(hook, from, norms.length);
  for (let row = 0; row < norms.length; row++) {
    let square = 0;
    for (let at = row * d; at < (row + 1) * d; at++) square += x[at] * x[at];
    norms[row] = Math.sqrt(square);
  }
}

/** The middle value; the lower of the two middle ones where the number is even. */
export function median(values: Float32Array): number {
  return Float32Array.from(values).sort()[(values.length - 1) >> 1] ?? NaN;
}

/**
 * Share of Σ‖x − x̄‖² that some rows hold, x̄ the mean over all rows of the capture. `rows` ascend. NaN where the
 * activations do not vary.
 */
export function varianceShare(capture: Capture, hook: string, rows: Uint32Array): number {
  const d = capture.width(hook);
  const all = capture.trainRows + capture.heldOutRows;
  const sum = new Float64Array(d);
  let squares = 0;
  // About the first row, so that a large common offset costs no digits.
  const origin = Float64Array.from(capture.readRows(hook, 0, Math.min(1, all)));
  for (let from = 0; from < all; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, all - from);
    const x = capture.readRows(hook, from, count);
    for (let row = 0, at = 0; row < count; row++)
      for (let j = 0; j < d; j++, at++) {
        const value = x[at] - origin[j];
        sum[j] += value;
        squares += value * value;
      }
  }
  const mean = sum.map((value) => value / all);
  const total = squares - all * mean.reduce((whole, value) => whole + value * value, 0);
  const one = new Float32Array(d);
  let held = 0;
  for (const row of rows) {
    capture.gatherRows(hook, Uint32Array.of(row), one);
    for (let j = 0; j < d; j++) held += (one[j] - origin[j] - mean[j]) ** 2;
  }
  return held / total;
}
