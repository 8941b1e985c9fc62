/**
 * The covariance of the activations at a hook point in its eigenbasis: the shape of the data, which random directions must have to
 * be a fair match for directions that were learnt from them.
 */
import type { SelectedRows } from '../../activations/selectRows.ts';
import { symmetricEigen } from '../../numerics/symmetricEigen.ts';
import { finish, type Steps } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import type { Directions } from '../directions.ts';

/** A symmetric matrix without negative eigenvalues. */
export interface Spectrum {
  readonly d: number;
  /** [d], descending, not negative. */
  readonly eigenvalues: Float64Array;
  /** [d, d]: row k is the unit eigenvector of eigenvalues[k]. */
  readonly vectors: Float32Array;
}

export interface ActivationSpectrum extends Spectrum {
  /** Rows of the capture that the covariance is over. */
  readonly rows: number;
}

/** The widest activations whose covariance is diagonalised; the time is that of d³, a few minutes at twice this. */
export const maximumSpectrumWidth = 2048;

const chunkRows = 2048;
/** Enough rows for 64 times as many as dimensions; further ones hardly change an eigenvalue. */
const mostRows = 131_072;

/** As activationSpectrumSteps, without a pause. */
export function activationSpectrum(
  ...given: Parameters<typeof activationSpectrumSteps>
): ActivationSpectrum | null {
  return finish(activationSpectrumSteps(...given));
}

/** The centred covariance [d, d] of activations, and of how many rows. */
export interface Covariance {
  readonly d: number;
  readonly matrix: Float64Array;
  readonly rows: number;
}

/** As covarianceSteps, in its eigenbasis. Null for activations that do not vary too, or that are wider than maximumSpectrumWidth. */
export function* activationSpectrumSteps(
  ...given: Parameters<typeof covarianceSteps>
): Steps<ActivationSpectrum | null> {
  const [rows, hook] = given;
  if (rows.width(hook) > maximumSpectrumWidth) return null;
  const covariance = yield* covarianceSteps(...given);
  return covariance && spectrumOfCovariance(covariance);
}

/** Null where nothing varies. */
export function spectrumOfCovariance({ d, matrix, rows }: Covariance): ActivationSpectrum | null {
  const spectrum = spectrumOf(matrix, d);
  return spectrum && { ...spectrum, rows };
}

/** The rows of each step of `covarianceSteps`, of so many training rows. */
export function covarianceChunks(trainRows: number): { start: number; end: number }[] {
  if (trainRows < 2) return [];
  const count = Math.ceil(Math.min(mostRows, trainRows) / chunkRows);
  const size = Math.min(chunkRows, trainRows);
  return Array.from({ length: count }, (_, chunk) => {
    const start = count === 1 ? 0 : Math.round((chunk * (trainRows - size)) / (count - 1));
    return { start, end: start + size };
  });
}

/** Of the training rows that `rows` keeps: all of them, or chunks spread evenly over them where there are many. Null for fewer than two. */
export function* covarianceSteps(
  rows: Pick<SelectedRows, 'trainRows' | 'readRows' | 'width'>,
  hook: string,
  progress: (done: number, total: number) => void = () => {},
): Steps<Covariance | null> {
  const d = rows.width(hook);
  if (rows.trainRows < 2) return null;
  const chunks = covarianceChunks(rows.trainRows);
  const sum = new Float64Array(d);
  const products = new Float64Array(d * d);
  let origin: Float32Array | undefined;
  let count = 0;
  for (const { start, end } of chunks) {
    const size = end - start;
    const x = rows.readRows(hook, start, size);
    // About one point near the mean, so that a large common offset costs no digits.
    origin ??= meanRow(x, d);
    for (let at = 0; at < x.length; at++) x[at] -= origin[at % d];
    const block = tf.tidy(() => {
      const matrix = tf.tensor2d(x, [size, d]);
      return tf.matMul(matrix, matrix, true, false).dataSync<'float32'>();
    });
    for (let at = 0; at < block.length; at++) products[at] += block[at];
    for (let at = 0; at < x.length; at++) sum[at % d] += x[at];
    count += size;
    progress(count, chunks.length * size);
    yield;
  }
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++)
      products[i * d + j] = (products[i * d + j] - (sum[i] * sum[j]) / count) / count;
  return { d, matrix: products, rows: count };
}

/** The same of a dictionary's unit rows, by their second moment: random directions of that shape prefer what it prefers. */
export function rowSpectrum({ rows, d, data }: Directions): Spectrum | null {
  if (d > maximumSpectrumWidth) return null;
  const moment = tf.tidy(() => {
    const matrix = tf.tensor2d(data, [rows, d]);
    return tf.matMul(matrix, matrix, true, false).dataSync<'float32'>();
  });
  return spectrumOf(moment, d);
}

function spectrumOf(matrix: ArrayLike<number>, d: number): Spectrum | null {
  const { values, vectors } = symmetricEigen(matrix, d);
  if (!(values[0] > 0)) return null;
  // What is left of an eigenvalue of 0 is rounding, of either sign.
  const eigenvalues = values.map((value) => (value > 1e-12 * values[0] ? value : 0));
  return { d, eigenvalues, vectors: Float32Array.from(vectors) };
}

function meanRow(x: Float32Array, d: number): Float32Array {
  const sum = new Float64Array(d);
  for (let at = 0; at < x.length; at++) sum[at % d] += x[at];
  return Float32Array.from(sum, (value) => value / (x.length / d));
}

/** Coordinates of vectors [rows, d] in the eigenbasis [rows, d]. */
export function inEigenbasis({ d, vectors }: Spectrum, data: Float32Array): Float32Array {
  return tf.tidy(() =>
    tf
      .matMul(tf.tensor2d(data, [data.length / d, d]), tf.tensor2d(vectors, [d, d]), false, true)
      .dataSync<'float32'>(),
  );
}
