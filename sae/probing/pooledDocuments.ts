/** Documents of known classes as what probes read: the mean activations of each, and the mean of each latent. */
import type { Examples } from '../numerics/logisticRegression.ts';
import type { SparseExamples } from '../numerics/sparseLogisticRegression.ts';

/** The documents of a class, as numbers of rows; those that probes learn from, and those that test them. */
export interface DocumentClass {
  readonly name: string;
  readonly train: readonly number[];
  readonly test: readonly number[];
}

export interface PooledDocuments {
  /** Mean over the tokens of each document [documents, d]. */
  readonly x: Examples;
  /** The same of latents [documents, latents]. */
  readonly codes: SparseExamples;
  readonly classes: readonly DocumentClass[];
}

/** Documents of a class and of all others, the class's own first. */
export interface OneAgainstOthers {
  readonly documents: readonly number[];
  readonly positive: Uint8Array;
}

/**
 * The documents of class `c` and as many others, of which each other class gives the same number but for the last: the balanced sets of
 * SAEBench's `prepare_probe_data`, which draws the others at random where the first are taken here (documents stand in a random order).
 */
export function oneAgainstOthers(
  classes: readonly DocumentClass[],
  c: number,
  part: 'train' | 'test',
): OneAgainstOthers {
  const own = classes[c][part];
  const each = Math.ceil(own.length / (classes.length - 1));
  const others = classes.flatMap((one, index) => (index === c ? [] : one[part].slice(0, each)));
  const documents = [...own, ...others.slice(0, own.length)];
  return { documents, positive: Uint8Array.from(documents, (_, i) => (i < own.length ? 1 : 0)) };
}

/** Some rows of dense numbers, and some of their columns, or all. */
export function denseRows(
  { width, values }: Examples,
  rows: readonly number[],
  columns?: readonly number[],
): Examples {
  const kept = columns ?? Array.from({ length: width }, (_, j) => j);
  const out = new Float64Array(rows.length * kept.length);
  for (const [n, row] of rows.entries())
    for (let j = 0; j < kept.length; j++) out[n * kept.length + j] = values[row * width + kept[j]];
  return { rows: rows.length, width: kept.length, values: out };
}

/** Some columns of some sparse rows, written out. */
export function latentsOfRows(
  { width, rowStart, indices, values }: SparseExamples,
  rows: readonly number[],
  latents: readonly number[],
): Examples {
  const columnOf = new Int32Array(width).fill(-1);
  for (const [column, latent] of latents.entries()) columnOf[latent] = column;
  const out = new Float64Array(rows.length * latents.length);
  for (const [n, row] of rows.entries())
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++)
      if (columnOf[indices[e]] >= 0) out[n * latents.length + columnOf[indices[e]]] = values[e];
  return { rows: rows.length, width: latents.length, values: out };
}

/** Mean of each latent over the class's documents less that over the others [latents]. */
export function meanDifference(
  { width, rowStart, indices, values }: SparseExamples,
  { documents, positive }: OneAgainstOthers,
): Float64Array {
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const share = [-1 / (documents.length - positives), 1 / positives];
  const difference = new Float64Array(width);
  for (const [n, row] of documents.entries())
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++)
      difference[indices[e]] += share[positive[n]] * values[e];
  return difference;
}

/** The same of dense numbers. */
export function denseMeanDifference(
  { width, values }: Examples,
  { documents, positive }: OneAgainstOthers,
): Float64Array {
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const share = [-1 / (documents.length - positives), 1 / positives];
  const difference = new Float64Array(width);
  for (const [n, row] of documents.entries())
    for (let j = 0; j < width; j++) difference[j] += share[positive[n]] * values[row * width + j];
  return difference;
}

/** The places of the `count` largest values, largest first; of equal ones those that come first. */
export function largestPlaces(values: Float64Array, count: number): number[] {
  return Array.from(values.keys())
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, count);
}
