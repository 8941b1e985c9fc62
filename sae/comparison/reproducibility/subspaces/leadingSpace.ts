/** Spans of directions: how many dimensions they fill, their leading ones, and how two such spaces stand to one another. */
import { reduceSteps } from '../../../numerics/leadingEigenvectors.ts';
import { finish, type Steps } from '../../../steps.ts';
import { tf } from '../../../tensor/tf.ts';
import type { Directions } from '../../directions.ts';

export interface Space {
  readonly d: number;
  readonly rank: number;
  /** Orthonormal rows [rank, d]. */
  readonly vectors: Float32Array;
}

/** Of rows U: λ are the squared singular values of U, descending, [min(rows, d)]. */
export interface Span {
  readonly d: number;
  readonly eigenvalues: Float64Array;
  /** Unit right singular vectors [count, d] of the largest; those of an eigenvalue of 0 are zeros. */
  vectorSteps(count: number): Steps<Float32Array>;
}

export const spanOf = (rows: Directions): Span => finish(spanSteps(rows));

/** By the smaller of U Uᵀ and Uᵀ U, whose eigenvalues are the same but for zeros. No more singular vectors are computed than are asked for. */
export function* spanSteps(directions: Directions): Steps<Span> {
  const { rows, d, data } = directions;
  const wide = rows < d;
  const n = Math.min(rows, d);
  const reduced = yield* reduceSteps(momentOf(directions), n);
  const values = reduced.largest(n);
  const eigenvalues = values.map((value) => (value > 1e-6 * values[0] ? value : 0));
  return {
    d,
    eigenvalues,
    *vectorSteps(count) {
      const vectors = Float32Array.from(yield* reduced.vectorSteps(values.subarray(0, count)));
      if (!wide) return vectors;
      // Right singular vectors are Uᵀ u / √λ.
      const right = tf.tidy(() =>
        tf
          .matMul(tf.tensor2d(vectors, [count, n]), tf.tensor2d(data, [rows, d]))
          .dataSync<'float32'>()
          .slice(),
      );
      for (let i = 0; i < count; i++) {
        const scale = eigenvalues[i] > 0 ? 1 / Math.sqrt(eigenvalues[i]) : 0;
        for (let j = 0; j < d; j++) right[i * d + j] *= scale;
      }
      return right;
    },
  };
}

/** The smaller of U Uᵀ and Uᵀ U. */
function momentOf({ rows, d, data }: Directions): Float32Array {
  const wide = rows < d;
  return tf.tidy(() => {
    const matrix = tf.tensor2d(data, [rows, d]);
    return tf.matMul(matrix, matrix, !wide, wide).dataSync<'float32'>();
  });
}

/** The participation ratio of the squared singular values of some rows, by Σλ and Σλ² alone: the trace of the moment, and the sum of its squares. */
export function participationRatioOf(rows: Directions): number {
  const moment = momentOf(rows);
  const n = Math.min(rows.rows, rows.d);
  let [sum, squares] = [0, 0];
  for (let i = 0; i < n; i++) sum += moment[i * n + i];
  for (const value of moment) squares += value * value;
  return squares > 0 ? (sum * sum) / squares : 0;
}

/** (Σλ)² / Σλ²: the number of equal eigenvalues that would be as concentrated. 0 for rows of zeros. */
export function participationRatio(eigenvalues: Float64Array): number {
  const sum = eigenvalues.reduce((total, value) => total + value, 0);
  const squares = eigenvalues.reduce((total, value) => total + value * value, 0);
  return squares > 0 ? (sum * sum) / squares : 0;
}

/** exp(−Σ p log p) with p = λ/Σλ: the effective rank of Roy & Vetterli (EUSIPCO 2007), of squared singular values. 0 for rows of zeros. */
export function entropyRank(eigenvalues: Float64Array): number {
  const sum = eigenvalues.reduce((total, value) => total + value, 0);
  if (!(sum > 0)) return 0;
  return Math.exp(
    -eigenvalues.reduce((total, value) => total + (value > 0 ? (value / sum) * Math.log(value / sum) : 0), 0),
  );
}

export const leadingSpace = (span: Span, rank: number): Space => finish(leadingSpaceSteps(span, rank));

/** The first `rank` dimensions of a span, fewer where it has not as many. */
export function* leadingSpaceSteps(span: Span, rank: number): Steps<Space> {
  const { d, eigenvalues } = span;
  const kept = Math.min(rank, eigenvalues.filter((value) => value > 0).length);
  return { d, rank: kept, vectors: yield* span.vectorSteps(kept) };
}

export const principalCosines = (a: Space, b: Space): Float64Array => finish(principalCosinesSteps(a, b));

/** cos θ_i of the principal angles between two spaces, largest first, [min(ranks)]: the singular values of A Bᵀ (Björck & Golub, 1973). */
export function* principalCosinesSteps(a: Space, b: Space): Steps<Float64Array> {
  const [small, large] = a.rank <= b.rank ? [a, b] : [b, a];
  if (small.rank === 0) return new Float64Array(0);
  const products = tf.tidy(() => {
    const between = tf.matMul(
      tf.tensor2d(small.vectors, [small.rank, small.d]),
      tf.tensor2d(large.vectors, [large.rank, large.d]),
      false,
      true,
    );
    return tf.matMul(between, between, false, true).dataSync<'float32'>();
  });
  const reduced = yield* reduceSteps(products, small.rank);
  return reduced.largest(small.rank).map((value) => Math.sqrt(Math.min(1, Math.max(0, value))));
}

/** The mean squared cosine of the principal angles: 1 where one space holds the other, rank/d on average for random ones. */
export function affinity(cosines: Float64Array): number {
  return cosines.reduce((sum, cosine) => sum + cosine * cosine, 0) / cosines.length;
}

const chunk = 8192;

/** [rows]: the share of each row's squared norm that lies inside the space; rows have unit norm. */
export function shareInside({ rows, d, data }: Directions, { rank, vectors }: Space): Float64Array {
  const out = new Float64Array(rows);
  if (rank === 0) return out;
  for (let first = 0; first < rows; first += chunk) {
    const some = Math.min(chunk, rows - first);
    out.set(
      tf.tidy(() =>
        tf
          .matMul(
            tf.tensor2d(data.subarray(first * d, (first + some) * d), [some, d]),
            tf.tensor2d(vectors, [rank, d]),
            false,
            true,
          )
          .square()
          .sum(1)
          .dataSync<'float32'>(),
      ),
      first,
    );
  }
  return out;
}
