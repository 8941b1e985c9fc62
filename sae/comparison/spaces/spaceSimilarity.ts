/**
 * How alike two sets of vectors are whose spaces have nothing to do with each other, given which vector of the one belongs to which of the other.
 * Neither measure changes when a space is rotated or scaled, and both are set beside pairings drawn at random (2410.06981).
 */
import { leadingEigenvectors } from '../../numerics/leadingEigenvectors.ts';
import { Random } from '../../numerics/random.ts';
import { symmetricEigen } from '../../numerics/symmetricEigen.ts';
import type { Steps } from '../../steps.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { Directions } from '../directions.ts';

export interface Similarity {
  readonly value: number;
  /** 95 % by a jackknife over ten groups of pairs; null where one of them has no value. */
  readonly interval: readonly [number, number] | null;
  /** The mean and the largest of random pairings of the same vectors, and the share of them (and the measured one) that reach the value. */
  readonly chance: number;
  readonly most: number;
  readonly p: number;
}

export interface SimilarityOptions {
  /** Random pairings. */
  readonly draws: number;
  readonly random: Random;
  readonly progress?: (draws: number) => void;
}

/** Of the variance that the components must hold, and vectors for each component at least: with fewer, every pairing correlates. */
const heldVariance = 0.99;
const vectorsPerComponent = 10;

/**
 * SVCCA (Raghu et al., 1706.05806): the mean canonical correlation between the leading principal components of both sets, 99 % of the
 * variance, at most a tenth as many as there are vectors. Row i of `a` belongs to row i of `b`.
 */
export function* svccaSteps(
  a: Directions,
  b: Directions,
  { draws, random, progress }: SimilarityOptions,
): Steps<Similarity & { readonly components: readonly [number, number] }> {
  const [x, y] = [yield* componentsOf(a), yield* componentsOf(b)];
  const components = [x.count, y.count] as const;
  if (x.count === 0 || y.count === 0) return { ...undefinedSimilarity, components };
  const left = tf.tensor2d(x.rows, [a.rows, x.count]);
  const right = tf.tensor2d(y.rows, [b.rows, y.count]);
  try {
    const value = meanCorrelation(left, right);
    const without: number[] = [];
    for (const kept of leavingOut(a.rows)) {
      without.push(correlationAmong(left, right, kept));
      yield;
    }
    const drawn: number[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const shuffled = tf.tidy(() =>
        tf.gather(right, tf.tensor1d(Int32Array.from(random.permutation(b.rows)), 'int32')),
      );
      drawn.push(meanCorrelation(left, shuffled));
      shuffled.dispose();
      progress?.(draw + 1);
      yield;
    }
    return { ...besideChance(value, drawn), interval: jackknife(value, without), components };
  } finally {
    tf.dispose([left, right]);
  }
}

/** Orthonormal components [rows, count] of the centred rows. */
function* componentsOf({ rows, d, data }: Directions): Steps<{ rows: Float32Array; count: number }> {
  const centred = tf.tidy(() => {
    const x = tf.tensor2d(data, [rows, d]);
    return x.sub<Tensor2D>(x.mean(0));
  });
  try {
    const covariance = tf.tidy(() => tf.matMul(centred, centred, true).dataSync<'float32'>().slice());
    yield;
    const total = Array.from({ length: d }, (_, k) => covariance[k * d + k]).reduce((s, v) => s + v, 0);
    const most = Math.min(d, Math.floor(rows / vectorsPerComponent));
    if (most === 0 || !(total > 0)) return { rows: new Float32Array(), count: 0 };
    const { values, vectors } = leadingEigenvectors(covariance, d, most);
    yield;
    let [count, held] = [0, 0];
    while (count < most && held < heldVariance * total && values[count] > 1e-9 * total)
      held += values[count++];
    const projection = Float32Array.from(
      { length: d * count },
      (_, at) => vectors[(at % count) * d + Math.floor(at / count)] / Math.sqrt(values[at % count]),
    );
    const out = tf.tidy(() =>
      tf
        .matMul(centred, tf.tensor2d(projection, [d, count]))
        .dataSync<'float32'>()
        .slice(),
    );
    return { rows: out, count };
  } finally {
    centred.dispose();
  }
}

/** Canonical correlations are the singular values of the product of two sets of orthonormal columns. */
function meanCorrelation(x: Tensor2D, y: Tensor2D): number {
  const [p, q] = [x.shape[1], y.shape[1]];
  const n = Math.min(p, q);
  const squared = tf.tidy(() => {
    const product = tf.matMul(x, y, true);
    return (p <= q ? tf.matMul(product, product, false, true) : tf.matMul(product, product, true))
      .dataSync<'float32'>()
      .slice();
  });
  const { values } = symmetricEigen(squared, n);
  return values.reduce((sum, value) => sum + Math.min(1, Math.sqrt(Math.max(0, value))), 0) / n;
}

/** Vectors among which all pairs are compared, at most. */
const mostVectors = 1024;

/**
 * RSA (Kriegeskorte et al., 2008): Spearman's correlation, over pairs of vectors, between their cosines in the one space and in the other,
 * each centred. Of more than 1024 vectors as many are drawn.
 */
export function* rsaSteps(
  a: Directions,
  b: Directions,
  { draws, random, progress }: SimilarityOptions,
): Steps<Similarity & { readonly vectors: number }> {
  const chosen = random.permutation(a.rows).subarray(0, mostVectors);
  const n = chosen.length;
  if (n < 3) return { ...undefinedSimilarity, vectors: n };
  const x = rankMatrix(cosinesAmong(a, chosen), n);
  yield;
  const y = rankMatrix(cosinesAmong(b, chosen), n);
  yield;
  const identity = Uint32Array.from({ length: n }, (_, i) => i);
  const value = correlationUnder(x, y, identity);
  const without: number[] = [];
  for (const kept of leavingOut(n)) {
    without.push(correlationOfRanks(x, y, kept));
    yield;
  }
  const drawn: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    drawn.push(correlationUnder(x, y, random.permutation(n)));
    progress?.(draw + 1);
    yield;
  }
  return { ...besideChance(value, drawn), interval: jackknife(value, without), vectors: n };
}

function cosinesAmong({ rows, d, data }: Directions, chosen: Uint32Array): Float32Array {
  return tf.tidy(() => {
    const all = tf.tensor2d(data, [rows, d]);
    const some = tf.gather(all.sub<Tensor2D>(all.mean(0)), tf.tensor1d(Int32Array.from(chosen), 'int32'));
    const unit = some.div<Tensor2D>(tf.maximum(tf.norm(some, 2, 1, true), 1e-12));
    return tf.matMul(unit, unit, false, true).dataSync<'float32'>().slice();
  });
}

/** [n, n]: for each pair its rank among all pairs, centred and scaled to a sum of squares of 1 over pairs; both halves. */
function rankMatrix(matrix: Float32Array, n: number): Float64Array {
  const pairs = (n * (n - 1)) / 2;
  const values = new Float64Array(pairs);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < i; j++) values[at++] = matrix[i * n + j];
  const order = Uint32Array.from({ length: pairs }, (_, at) => at).sort((p, q) => values[p] - values[q]);
  const ranks = new Float64Array(pairs);
  for (let from = 0; from < pairs;) {
    let to = from;
    while (to < pairs && values[order[to]] === values[order[from]]) to++;
    // Equal values have the mean of their ranks.
    for (let at = from; at < to; at++) ranks[order[at]] = (from + to - 1) / 2 - (pairs - 1) / 2;
    from = to;
  }
  const size = Math.sqrt(ranks.reduce((sum, rank) => sum + rank * rank, 0));
  const out = new Float64Array(n * n);
  for (let i = 0, at = 0; i < n; i++)
    for (let j = 0; j < i; j++, at++) out[i * n + j] = out[j * n + i] = size > 0 ? ranks[at] / size : 0;
  return out;
}

function correlationUnder(x: Float64Array, y: Float64Array, order: Uint32Array): number {
  const n = order.length;
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0, base = order[i] * n; j < i; j++) sum += x[i * n + j] * y[base + order[j]];
  return sum;
}

function besideChance(value: number, drawn: readonly number[]): Omit<Similarity, 'interval'> {
  return {
    value,
    chance: drawn.reduce((sum, one) => sum + one, 0) / drawn.length,
    most: Math.max(...drawn),
    p: (1 + drawn.filter((one) => one >= value).length) / (1 + drawn.length),
  };
}

const undefinedSimilarity: Similarity = { value: NaN, interval: null, chance: NaN, most: NaN, p: NaN };

const groups = 10;
/** Student's t with nine degrees of freedom: 95 % lie within. */
const studentsT = 2.262;

/** Which vectors are left when one group of ten, drawn at random, is left out. */
function leavingOut(n: number): number[][] {
  const order = [...Random.fromSeed(0, 'groups that are left out').permutation(n)];
  return Array.from({ length: groups }, (_, group) =>
    order.filter((__, place) => place % groups !== group).sort((i, j) => i - j),
  );
}

/** value ± t·√((g − 1)/g Σ(θ − θ̄)²), θ the values without one group each (Efron & Stein, Ann. Statist. 9, 1981), within −1 … 1. */
function jackknife(value: number, without: readonly number[]): readonly [number, number] | null {
  if (![value, ...without].every(Number.isFinite)) return null;
  const mean = without.reduce((sum, one) => sum + one, 0) / groups;
  const squares = without.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const half = studentsT * Math.sqrt(((groups - 1) / groups) * squares);
  return [Math.max(-1, value - half), Math.min(1, value + half)];
}

/** The mean canonical correlation of the same components over some of the vectors, NaN for fewer of them than components. */
function correlationAmong(x: Tensor2D, y: Tensor2D, kept: readonly number[]): number {
  const [p, q] = [x, y].map((all) => orthonormalAmong(all, kept));
  const value = p && q ? meanCorrelation(p, q) : NaN;
  tf.dispose([p, q].filter((one) => one !== null));
  return value;
}

/** Some rows, centred, with columns that are orthonormal again; null where they are not independent any more. */
function orthonormalAmong(all: Tensor2D, kept: readonly number[]): Tensor2D | null {
  const n = all.shape[1];
  const some = tf.tidy(() => {
    const rows = tf.gather(all, tf.tensor1d(Int32Array.from(kept), 'int32'));
    return rows.sub<Tensor2D>(rows.mean(0));
  });
  try {
    const moment = tf.tidy(() => tf.matMul(some, some, true).dataSync<'float32'>().slice());
    const { values, vectors } = symmetricEigen(moment, n);
    if (!(values[n - 1] > 1e-6 * values[0])) return null;
    const turn = Float32Array.from(
      { length: n * n },
      (_, at) => vectors[(at % n) * n + Math.floor(at / n)] / Math.sqrt(values[at % n]),
    );
    return tf.tidy(() => tf.matMul(some, tf.tensor2d(turn, [n, n])));
  } finally {
    some.dispose();
  }
}

/** Correlation over the pairs of some vectors, of the ranks that they have among all. */
function correlationOfRanks(x: Float64Array, y: Float64Array, kept: readonly number[]): number {
  const n = Math.sqrt(x.length);
  let [sumX, sumY, xx, yy, xy] = [0, 0, 0, 0, 0];
  kept.forEach((i, at) => {
    for (let other = 0; other < at; other++) {
      const [p, q] = [x[i * n + kept[other]], y[i * n + kept[other]]];
      sumX += p;
      sumY += q;
      xx += p * p;
      yy += q * q;
      xy += p * q;
    }
  });
  const pairs = (kept.length * (kept.length - 1)) / 2;
  return (xy - (sumX * sumY) / pairs) / Math.sqrt((xx - sumX ** 2 / pairs) * (yy - sumY ** 2 / pairs));
}
