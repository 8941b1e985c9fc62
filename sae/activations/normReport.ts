/** What a capture says of how long its rows are, so that nobody trains on four attention sinks without knowing. */
import type { NormReport } from '../spec/manifests/capture.ts';
import { expertOf } from '../models/hookPoints.ts';
import type { Capture } from './openCapture.ts';
import { median, rowNorms, varianceShare } from './rowNorms.ts';

/** Multiple of the median norm beyond which a row counts as an outlier (METHODS.md §6). */
export const outlierFactor = 10;
const listed = 8;
/** Shares of the rows at whose norms the distribution is quoted. */
export const quotedShares = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999];
/** A token that occurs less often than this says more of its contexts than of itself. */
const fewestRows = 8;

/** Two passes over the rows of one hook point. */
export function normReport(capture: Capture, hook: string, factor = outlierFactor): NormReport {
  const norms = rowNorms(capture, hook);
  // Rows that the router did not send to the expert are not there, and are not short either.
  const present = Uint32Array.from(norms.keys()).filter((row) => !expertOf(hook) || norms[row] > 0);
  const sorted = Float32Array.from(present, (row) => norms[row]).sort();
  const middle = median(sorted);
  const beyond = present.filter((row) => norms[row] > factor * middle);
  const { contextLength, firstPosition } = capture.manifest;
  const tokenOf = (row: number) => {
    const { context, position } = capture.rowToken(row);
    return capture.tokens[context * contextLength + position];
  };
  // Of activations without tokens, none is named.
  const known = (rows: Uint32Array) => rows.filter((row) => tokenOf(row) >= 0);
  const positionOf = (row: number) => capture.rowToken(row).position;
  const byPosition = grouped(present, positionOf, norms);
  return {
    median: middle,
    largest: sorted.at(-1) ?? 0,
    factor,
    rows: beyond.length,
    varianceShare: finite(varianceShare(capture, hook, beyond)),
    positions: commonest(Array.from(beyond, positionOf)).map(([position, rows]) => ({ position, rows })),
    tokens: commonest(Array.from(known(beyond), tokenOf)).map(([token, rows]) => ({ token, rows })),
    quantiles:
      sorted.length === 0 ? [] : quotedShares.map((share) => ({ share, norm: quantile(sorted, share) })),
    medianByPosition: Array.from({ length: contextLength - firstPosition }, (_, at) => {
      const here = byPosition.get(firstPosition + at);
      return here ? median(here) : null;
    }),
    longestTokens: [...grouped(known(present), tokenOf, norms)]
      .filter(([, here]) => here.length >= fewestRows)
      .map(([token, here]) => ({ token, rows: here.length, median: median(here) }))
      .sort((a, b) => b.median - a.median || a.token - b.token)
      .slice(0, listed),
  };
}

/** The smallest of the ascending norms that at least this share of them does not exceed. */
function quantile(sorted: Float32Array, share: number): number {
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
}

function grouped(
  rows: Uint32Array,
  keyOf: (row: number) => number,
  norms: Float32Array,
): Map<number, Float32Array> {
  const groups = new Map<number, number[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(norms[row]);
    else groups.set(key, [norms[row]]);
  }
  return new Map([...groups].map(([key, group]) => [key, Float32Array.from(group)]));
}

function commonest(values: readonly number[]): [value: number, count: number][] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || a - b).slice(0, listed);
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);
