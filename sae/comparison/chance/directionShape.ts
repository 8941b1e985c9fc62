/**
 * The shape of activations as subspaces are set beside it: random directions with their covariance, and their leading principal components.
 * Neither takes all eigenvectors. Where those are not known, directions are v ∝ L g with Σ = L Lᵀ, which have the same
 * law as v ∝ Σ^½ g, since it depends on the covariance alone.
 */
import { reduceSteps } from '../../numerics/leadingEigenvectors.ts';
import type { Random } from '../../numerics/random.ts';
import type { Steps } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import { unitRows } from '../directions.ts';
import type { Covariance, Spectrum } from './activationSpectrum.ts';
import { covarianceSource, type DirectionSource } from './randomDirections.ts';

export interface DirectionShape {
  /** Directions in the basis of the activations themselves. */
  readonly source: DirectionSource;
  /** The first `count` principal components [count, d]. */
  componentSteps(count: number): Steps<Float32Array>;
}

export function shapeOfSpectrum(spectrum: Spectrum): DirectionShape {
  const { d, vectors } = spectrum;
  return {
    source: covarianceSource(spectrum, standardBasis(d)),
    // eslint-disable-next-line require-yield
    *componentSteps(count) {
      return vectors.slice(0, count * d);
    },
  };
}

/** Null where nothing varies. */
export function* shapeOfCovarianceSteps({ d, matrix }: Covariance): Steps<DirectionShape | null> {
  const factor = yield* choleskySteps(matrix, d);
  if (factor === null) return null;
  return {
    source: { d, draw: (rows, random) => drawn(factor, d, { rows, random }) },
    *componentSteps(count) {
      const reduced = yield* reduceSteps(matrix, d);
      return Float32Array.from(yield* reduced.vectorSteps(reduced.largest(count)));
    },
  };
}

function drawn(factor: Float32Array, d: number, { rows, random }: { rows: number; random: Random }) {
  const normals = random.normals(rows * d);
  const data = tf.tidy(() =>
    tf
      .matMul(tf.tensor2d(normals, [rows, d]), tf.tensor2d(factor, [d, d]), false, true)
      .dataSync<'float32'>(),
  );
  return unitRows({ rows, d, data }, 'a random dictionary');
}

/** What is left of a variance of 0 after the others are taken off is rounding, of products in single precision. */
const negligible = 1e-6;

/** L [d, d], lower triangular; coordinates that the ones before them determine get no column of their own. */
function* choleskySteps(matrix: Float64Array, d: number): Steps<Float32Array | null> {
  const rows: Float64Array[] = [];
  let varies = false;
  for (let i = 0; i < d; i++) {
    const own = new Float64Array(i + 1);
    for (let j = 0; j <= i; j++) {
      const other = j < i ? rows[j] : own;
      let left = matrix[i * d + j];
      for (let k = 0; k < j; k++) left -= own[k] * other[k];
      if (j === i) own[i] = left > negligible * matrix[i * d + i] ? Math.sqrt(left) : 0;
      else own[j] = other[j] > 0 ? left / other[j] : 0;
    }
    varies ||= own[i] > 0;
    rows.push(own);
    yield;
  }
  if (!varies) return null;
  const factor = new Float32Array(d * d);
  rows.forEach((row, i) => factor.set(row, i * d));
  return factor;
}

/** In which random directions come out as they are, rather than in the eigenbasis of their covariance. */
function standardBasis(d: number): Spectrum {
  const vectors = new Float32Array(d * d);
  for (let i = 0; i < d; i++) vectors[i * d + i] = 1;
  return { d, eigenvalues: new Float64Array(d).fill(1), vectors };
}
