/** Spans of directions: how many dimensions they fill, their leading ones, and how two such spaces stand to one another. */
import { symmetricEigen } from '../../../numerics/symmetricEigen.ts';
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
  /** Unit right singular vectors [min(rows, d), d]; those of an eigenvalue of 0 are zeros. */
  readonly vectors: Float32Array;
}

/** By the smaller of U Uᵀ and Uᵀ U, whose eigenvalues are the same but for zeros. */
export function spanOf({ rows, d, data }: Directions): Span {
  const wide = rows < d;
  const n = wide ? rows : d;
  const moment = tf.tidy(() => {
    const matrix = tf.tensor2d(data, [rows, d]);
    return tf.matMul(matrix, matrix, !wide, wide).dataSync<'float32'>();
  });
  const { values, vectors } = symmetricEigen(moment, n);
  const eigenvalues = values.map((value) => (value > 1e-6 * values[0] ? value : 0));
  if (!wide) return { d, eigenvalues, vectors: Float32Array.from(vectors) };
  // Right singular vectors are Uᵀ u / √λ.
  const right = tf.tidy(() =>
    tf
      .matMul(tf.tensor2d(Float32Array.from(vectors), [n, n]), tf.tensor2d(data, [rows, d]))
      .dataSync<'float32'>(),
  );
  for (let i = 0; i < n; i++) {
    const scale = eigenvalues[i] > 0 ? 1 / Math.sqrt(eigenvalues[i]) : 0;
    for (let j = 0; j < d; j++) right[i * d + j] *= scale;
  }
  return { d, eigenvalues, vectors: right };
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

/** The first `rank` dimensions of a span, fewer where it has not as many. */
export function leadingSpace({ d, eigenvalues, vectors }: Span, rank: number): Space {
  const filled = eigenvalues.filter((value) => value > 0).length;
  const kept = Math.min(rank, filled);
  return { d, rank: kept, vectors: vectors.slice(0, kept * d) };
}

/** cos θ_i of the principal angles between two spaces, largest first, [min(ranks)]: the singular values of A Bᵀ (Björck & Golub, 1973). */
export function principalCosines(a: Space, b: Space): Float64Array {
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
  return symmetricEigen(products, small.rank).values.map((value) =>
    Math.sqrt(Math.min(1, Math.max(0, value))),
  );
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
