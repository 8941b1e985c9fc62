/** Logistic regression with an absolute penalty over rows of which most numbers are 0. */
import { stepsBetweenBreaths, type Breathe } from './minimiseSmooth.ts';
import { logistic, softplus, type LinearProbe } from './logisticRegression.ts';

/** Row n has `values[e]` in column `indices[e]` for e from rowStart[n] to rowStart[n + 1] − 1, and 0 elsewhere. */
export interface SparseExamples {
  readonly rows: number;
  readonly width: number;
  readonly rowStart: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/**
 * The w and b that minimise `(1/rows) Σ_n [p·y_n log(1 + e^−z_n) + (1 − y_n) log(1 + e^z_n)] + λ‖w‖₁`, z = w·x + b and y 0 or 1, with p the
 * negatives for each positive: what SAEBench's `train_sparse_multi_probe` trains for each class (its weight decay of 1e-6 aside).
 * Found by proximal gradient steps with momentum, which begins anew where it would climb (FISTA: Beck & Teboulle, 2009; O'Donoghue &
 * Candès, 2015), until a step moves nothing by more than 1e-5 of the largest weight.
 */
export async function sparseLogisticRegression(
  examples: SparseExamples,
  positive: Uint8Array,
  { penalty, steps = 2000, breathe }: { penalty: number; steps?: number; breathe?: Breathe | undefined },
): Promise<LinearProbe> {
  const { rows, width, rowStart, indices, values } = examples;
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const positiveWeight = (rows - positives) / Math.max(positives, 1);
  const sampleWeight = [1 / rows, positiveWeight / rows];
  const rate = 1 / (0.25 * largestCurvature(examples, (n) => sampleWeight[positive[n]]));

  let w = new Float64Array(width + 1);
  let ahead = Float64Array.from(w);
  let momentum = 1;
  let last = Infinity;
  const gradient = new Float64Array(width + 1);
  for (let step = 0; step < steps; step++) {
    if (breathe && step % stepsBetweenBreaths === 0) await breathe();
    gradient.fill(0);
    let loss = 0;
    for (let n = 0; n < rows; n++) {
      let z = ahead[width];
      for (let e = rowStart[n]; e < rowStart[n + 1]; e++) z += ahead[indices[e]] * values[e];
      const weight = sampleWeight[positive[n]];
      loss += weight * softplus(positive[n] ? -z : z);
      const slope = weight * (logistic(z) - positive[n]);
      for (let e = rowStart[n]; e < rowStart[n + 1]; e++) gradient[indices[e]] += slope * values[e];
      gradient[width] += slope;
    }
    for (let j = 0; j < width; j++) loss += penalty * Math.abs(ahead[j]);
    if (loss > last) momentum = 1;
    last = loss;
    const next = new Float64Array(width + 1);
    let moved = 0;
    let size = 0;
    for (let j = 0; j <= width; j++) {
      const to = ahead[j] - rate * gradient[j];
      next[j] = j === width ? to : Math.sign(to) * Math.max(Math.abs(to) - rate * penalty, 0);
      moved = Math.max(moved, Math.abs(next[j] - w[j]));
      size = Math.max(size, Math.abs(next[j]));
    }
    const nextMomentum = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const push = (momentum - 1) / nextMomentum;
    ahead = next.map((now, j) => now + push * (now - w[j]));
    [w, momentum] = [next, nextMomentum];
    if (moved <= 1e-5 * size) break;
  }
  return { weights: w.subarray(0, width), bias: w[width] };
}

/** The largest eigenvalue of `Σ_n s_n x̃_n x̃_nᵀ`, x̃ a row with a 1 for the bias, from above by 2 %; power iteration. */
function largestCurvature(
  { rows, width, rowStart, indices, values }: SparseExamples,
  weight: (row: number) => number,
): number {
  let v = new Float64Array(width + 1).fill(1 / Math.sqrt(width + 1));
  let norm = 0;
  for (let step = 0; step < 100; step++) {
    const next = new Float64Array(width + 1);
    for (let n = 0; n < rows; n++) {
      let z = v[width];
      for (let e = rowStart[n]; e < rowStart[n + 1]; e++) z += v[indices[e]] * values[e];
      z *= weight(n);
      for (let e = rowStart[n]; e < rowStart[n + 1]; e++) next[indices[e]] += z * values[e];
      next[width] += z;
    }
    const before = norm;
    norm = Math.sqrt(next.reduce((sum, one) => sum + one * one, 0));
    v = next.map((one) => one / norm);
    if (Math.abs(norm - before) <= 1e-4 * norm) break;
  }
  return 1.02 * norm;
}
