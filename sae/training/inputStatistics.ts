/**
 * What training needs to know of the data before its first step, from the first rows it would see. None of it
 * depends on the seed of the initialisation.
 */
import type { NormStatistics } from '../autoencoders/architecture.ts';
import { geometricMedian } from '../autoencoders/geometricMedian.ts';
import { LazyscopeError } from '../errors.ts';
import type { BatchSource } from './batchSource.ts';

/** Rows for the norms; the median, which takes many passes, uses the first of them. */
const normRows = 16_384;
const medianRows = 4_096;

export interface InputStatistics extends NormStatistics {
  /** [rows, d], unscaled. */
  sample: Float32Array;
  /** Geometric median of the sample, unscaled [d]. */
  median: Float32Array;
  /** The same of the outputs of the sample's rows, where the source has outputs. */
  outputMedian?: Float32Array;
}

/** Rows that `inputStatistics` reads from a source, in whole batches. */
export function statisticsRows(batchSize: number): number {
  return Math.ceil(normRows / batchSize) * batchSize;
}

/** Reads ahead and puts the source back where it was. Throws `bad_input` when the activations are useless. */
export function inputStatistics(source: BatchSource): InputStatistics {
  const { d, batchSize, outputWidth = d } = source;
  const before = source.state();
  const sample = new Float32Array(medianRows * d);
  const outputs = source.outputs && new Float32Array(medianRows * outputWidth);
  let kept = 0;
  let rows = 0;
  let norms = 0;
  let squares = 0;
  while (rows < normRows) {
    const batch = source.next();
    for (let row = 0; row < batchSize; row++) {
      let square = 0;
      for (let j = row * d; j < (row + 1) * d; j++) square += batch[j] * batch[j];
      norms += Math.sqrt(square);
      squares += square;
    }
    rows += batchSize;
    const take = Math.min(batchSize, medianRows - kept);
    sample.set(batch.subarray(0, take * d), kept * d);
    if (take > 0) outputs?.set(source.outputs?.().subarray(0, take * outputWidth) ?? [], kept * outputWidth);
    kept += take;
  }
  source.restore(before);
  const meanNorm = norms / rows;
  if (!(meanNorm > 0) || !Number.isFinite(squares))
    throw new LazyscopeError(
      'bad_input',
      `The activations can't be trained on: their mean norm is ${meanNorm}; capture them again from a sound model.`,
    );
  return {
    meanNorm,
    meanSquaredNorm: squares / rows,
    sample,
    median: geometricMedian(sample, d),
    ...(outputs && { outputMedian: geometricMedian(outputs, outputWidth) }),
  };
}
