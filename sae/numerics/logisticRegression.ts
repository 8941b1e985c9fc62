/** Logistic regression with a quadratic penalty, as scikit-learn's `LogisticRegression` defines it. */
import { minimiseSmooth, type Breathe } from './minimiseSmooth.ts';

/** Numbers of which each row is an example [rows, width]. */
export interface Examples {
  readonly rows: number;
  readonly width: number;
  readonly values: Float32Array | Float64Array;
}

/** A row belongs to the class where `w·x + bias > 0`. */
export interface LinearProbe {
  /** [width] */
  readonly weights: Float64Array;
  readonly bias: number;
}

const steps = 1000;

/**
 * The w and b that minimise `½‖w‖² + C Σ_n s_n log(1 + exp(−y_n (w·x_n + b)))`, y_n = 1 where `positive[n]` is 1 and −1 elsewhere
 * (scikit-learn's objective with C = 1, whose optimum is unique). With `balanced`, `s_n = rows / (2·rows of its class)`; otherwise 1.
 *
 * Columns are centred and scaled while the minimum is looked for, and the penalty with them, which changes the path and not the minimum.
 */
export async function logisticRegression(
  { rows, width, values }: Examples,
  positive: Uint8Array,
  {
    c = 1,
    balanced = false,
    breathe,
  }: { c?: number; balanced?: boolean; breathe?: Breathe | undefined } = {},
): Promise<LinearProbe> {
  const { centre, scale } = columnMoments({ rows, width, values });
  const x = new Float64Array(rows * width);
  for (let n = 0, at = 0; n < rows; n++)
    for (let j = 0; j < width; j++, at++) x[at] = (values[at] - centre[j]) / scale[j];
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const sampleWeight = balanced
    ? [rows / (2 * Math.max(rows - positives, 1)), rows / (2 * Math.max(positives, 1))]
    : [1, 1];

  // The parameters are w in units of the scaled columns, then the bias at the centre.
  const found = await minimiseSmooth(
    (parameters, gradient) => {
      gradient.fill(0);
      let sum = 0;
      for (let n = 0; n < rows; n++) {
        const row = n * width;
        let z = parameters[width];
        for (let j = 0; j < width; j++) z += parameters[j] * x[row + j];
        const weight = c * sampleWeight[positive[n]];
        sum += weight * softplus(positive[n] ? -z : z);
        const slope = weight * (logistic(z) - positive[n]);
        for (let j = 0; j < width; j++) gradient[j] += slope * x[row + j];
        gradient[width] += slope;
      }
      for (let j = 0; j < width; j++) {
        const w = parameters[j] / scale[j];
        sum += 0.5 * w * w;
        gradient[j] += w / scale[j];
      }
      return sum;
    },
    new Float64Array(width + 1),
    { tolerance: 1e-7 * c * rows, steps, breathe },
  );
  const weights = new Float64Array(width);
  let bias = found[width];
  for (let j = 0; j < width; j++) {
    weights[j] = found[j] / scale[j];
    bias -= weights[j] * centre[j];
  }
  return { weights, bias };
}

/** `w·x + b` of one row, which begins at `from`. */
export function probeScore({ weights, bias }: LinearProbe, x: Float32Array | Float64Array, from = 0): number {
  let z = bias;
  for (let j = 0; j < weights.length; j++) z += weights[j] * x[from + j];
  return z;
}

/** Mean and deviation of each column; 1 in place of a deviation that is 0 but for rounding. */
function columnMoments({ rows, width, values }: Examples) {
  const centre = new Float64Array(width);
  const scale = new Float64Array(width);
  for (let n = 0, at = 0; n < rows; n++) for (let j = 0; j < width; j++, at++) centre[j] += values[at] / rows;
  for (let n = 0, at = 0; n < rows; n++)
    for (let j = 0; j < width; j++, at++) scale[j] += (values[at] - centre[j]) ** 2 / rows;
  for (let j = 0; j < width; j++) {
    const deviation = Math.sqrt(scale[j]);
    scale[j] = deviation > 1e-7 * Math.abs(centre[j]) ? deviation : 1;
  }
  return { centre, scale };
}

/** `log(1 + e^z)` without overflow. */
export function softplus(z: number): number {
  return z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));
}

export function logistic(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}
