/** What a capture says of its longest rows, so that nobody trains on four attention sinks without knowing. */
import type { NormReport } from '../spec/manifests/capture.ts';
import { expertOf } from '../models/hookPoints.ts';
import type { Capture } from './openCapture.ts';
import { median, rowNorms, varianceShare } from './rowNorms.ts';

/** Multiple of the median norm beyond which a row counts as an outlier (METHODS.md §6). */
export const outlierFactor = 10;
const listed = 8;

/** Two passes over the rows of one hook point. */
export function normReport(capture: Capture, hook: string, factor = outlierFactor): NormReport {
  const norms = rowNorms(capture, hook);
  // Rows that the router did not send to the expert are not there, and are not short either.
  const middle = median(expertOf(hook) ? norms.filter((norm) => norm > 0) : norms);
  const beyond = Uint32Array.from([...norms.keys()].filter((row) => norms[row] > factor * middle));
  const places = Array.from(beyond, (row) => capture.rowToken(row));
  const { contextLength } = capture.manifest;
  return {
    median: middle,
    largest: norms.reduce((largest, norm) => Math.max(largest, norm), 0),
    factor,
    rows: beyond.length,
    varianceShare: finite(varianceShare(capture, hook, beyond)),
    positions: commonest(places.map(({ position }) => position)).map(([position, rows]) => ({
      position,
      rows,
    })),
    tokens: commonest(
      places
        .map(({ context, position }) => capture.tokens[context * contextLength + position])
        .filter((token) => token >= 0),
    ).map(([token, rows]) => ({ token, rows })),
  };
}

function commonest(values: readonly number[]): [value: number, count: number][] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || a - b).slice(0, listed);
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);
