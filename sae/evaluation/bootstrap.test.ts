import { expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { bootstrap } from './bootstrap.ts';

/** The share of `trials` in which the interval of a mean of `contexts` numbers drawn by `draw` holds `truth`. */
function coverage(draw: (random: Random) => number, truth: number, contexts: number, trials = 300): number {
  const random = Random.fromSeed(1, 'coverage');
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const loss = Float64Array.from({ length: contexts }, () => draw(random));
    const { mean } = bootstrap({ loss }, (means) => ({ mean: means.loss }));
    if (mean && mean[0] <= truth && truth <= mean[1]) held++;
  }
  return held / trials;
}

test('the interval of a mean is 1.96 standard errors to either side, and holds the true mean 95 times of 100', () => {
  const random = Random.fromSeed(2, 'normal');
  const loss = Float64Array.from({ length: 200 }, () => 3 + 2 * random.normal());
  const mean = loss.reduce((a, b) => a + b, 0) / 200;
  const error = Math.sqrt(loss.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 200 / 200);
  const { figure } = bootstrap({ loss }, (means) => ({ figure: means.loss }));
  expect(figure![0]).toBeCloseTo(mean - 1.96 * error, 1);
  expect(figure![1]).toBeCloseTo(mean + 1.96 * error, 1);
  const held = coverage((r) => 3 + 2 * r.normal(), 3, 60);
  expect(held).toBeGreaterThan(0.91);
  expect(held).toBeLessThan(0.98);
});

test('columns are drawn together, so that a ratio of losses that go together is known better than each of them', () => {
  const random = Random.fromSeed(3, 'paired');
  const zero = Float64Array.from({ length: 50 }, () => 8 + random.normal());
  const clean = zero.map((x) => x - 5);
  const sae = clean.map((x) => x + 0.5);
  const { recovered, own } = bootstrap({ zero, clean, sae }, (m) => ({
    recovered: (m.zero - m.sae) / (m.zero - m.clean),
    own: m.zero,
  }));
  expect(recovered![0]).toBeCloseTo(0.9, 12);
  expect(recovered![1]).toBeCloseTo(0.9, 12);
  expect(own![1] - own![0]).toBeGreaterThan(0.3);
});

test('the same losses give the same interval, and a figure that is undefined has none', () => {
  const loss = Float64Array.of(1, 2, 4, 8);
  const once = () => bootstrap({ loss }, (m) => ({ mean: m.loss, share: m.loss / 0 }));
  expect(once()).toEqual(once());
  expect(once().share).toBeNull();
  expect(once().mean![0]).toBeGreaterThanOrEqual(1);
});
