import { describe, expect, it } from 'vitest';
import { logistic, logisticRegression } from './logisticRegression.ts';
import { Random } from './random.ts';
import { sparseLogisticRegression } from './sparseLogisticRegression.ts';

const rows = 60;
const width = 5;
const random = Random.fromSeed(4);
/** Columns of very different sizes, one of which never varies. */
const x = Float32Array.from({ length: rows * width }, (_, at) =>
  at % width === 4 ? 3 : random.normal() * 10 ** ((at % width) - 1) + (at % width),
);
const positive = Uint8Array.from({ length: rows }, (_, n) => (x[n * width] + random.normal() > 0 ? 1 : 0));
const positives = positive.reduce((sum, one) => sum + one, 0);

const scoreOf = (weights: Float64Array, bias: number, n: number) => {
  let z = bias;
  for (let j = 0; j < width; j++) z += weights[j] * x[n * width + j];
  return z;
};

describe('logistic regression', () => {
  for (const balanced of [false, true])
    it(`ends where the gradient of scikit-learn's objective is 0${balanced ? ', with balanced classes' : ''}`, async () => {
      const c = 0.7;
      const { weights, bias } = await logisticRegression({ rows, width, values: x }, positive, {
        c,
        balanced,
      });
      const gradient = [...weights, 0];
      for (let n = 0; n < rows; n++) {
        const sample = balanced ? rows / (2 * (positive[n] ? positives : rows - positives)) : 1;
        const slope = c * sample * (logistic(scoreOf(weights, bias, n)) - positive[n]);
        for (let j = 0; j < width; j++) gradient[j] += slope * x[n * width + j];
        gradient[width] += slope;
      }
      for (const one of gradient) expect(Math.abs(one)).toBeLessThan(1e-2);
    });

  it('puts no weight on what never varies', async () => {
    const { weights } = await logisticRegression({ rows, width, values: x }, positive);
    expect(Math.abs(weights[4])).toBeLessThan(1e-9);
  });

  it('with an absolute penalty, has slopes of the penalty where weights are not 0, and smaller ones elsewhere', async () => {
    const penalty = 0.05;
    const unit = x.map((one, at) => one / 10 ** ((at % width) - 1));
    const examples = {
      rows,
      width,
      rowStart: Int32Array.from({ length: rows + 1 }, (_, n) => n * width),
      indices: Int32Array.from({ length: rows * width }, (_, at) => at % width),
      values: unit,
    };
    const { weights, bias } = await sparseLogisticRegression(examples, positive, { penalty, steps: 20_000 });
    const slopes = new Float64Array(width);
    for (let n = 0; n < rows; n++) {
      let z = bias;
      for (let j = 0; j < width; j++) z += weights[j] * unit[n * width + j];
      const sample = (positive[n] ? (rows - positives) / positives : 1) / rows;
      for (let j = 0; j < width; j++) slopes[j] += sample * (logistic(z) - positive[n]) * unit[n * width + j];
    }
    expect(weights.some((w) => w !== 0)).toBe(true);
    expect(weights.some((w) => w === 0)).toBe(true);
    for (const [j, w] of weights.entries())
      if (w === 0) expect(Math.abs(slopes[j])).toBeLessThan(penalty + 1e-3);
      else expect(slopes[j]).toBeCloseTo(-penalty * Math.sign(w), 2);
  });
});
