import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { finish } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import { covarianceSource, isotropicSource } from '../chance/randomDirections.ts';
import { cosineMatrix } from '../directions.ts';
import { atLeast, curveSteps, returnChanceSteps, returnChanceCurveSteps } from './returnChance.ts';

beforeAll(() => tf.setBackend('cpu'));

const d = 12;
const identity = Float32Array.from({ length: d * d }, (_, at) => (at % (d + 1) === 0 ? 1 : 0));
const spectrum = {
  d,
  eigenvalues: Float64Array.from({ length: d }, (_, k) => 1 / (k + 1)),
  vectors: identity,
};
const [latents, others, threshold] = [60, 3, 0.8];

describe.each([
  ['with a covariance', [spectrum], covarianceSource(spectrum)],
  ['without a preference', [], isotropicSource(d)],
])('random dictionaries %s', (_, spectra, source) => {
  test('return latents as often as simulated ones do, to 1 %', () => {
    const rows = covarianceSource(spectrum).draw(latents, Random.fromSeed(1));
    const single = finish(returnChanceSteps(rows, threshold, { spectra, count: latents }));
    const curve = finish(returnChanceCurveSteps(rows, others, { spectra, count: latents }));
    const found = { every: 0, any: 0, mean: 0 };
    const rounds = 400;
    const random = Random.fromSeed(2);
    for (let round = 0; round < rounds; round++) {
      const counts = new Float64Array(latents);
      for (let other = 0; other < others; other++) {
        const cosine = cosineMatrix(rows, source.draw(latents, random));
        for (let i = 0; i < latents; i++)
          if (cosine.subarray(i * latents, (i + 1) * latents).some((c) => c >= threshold)) counts[i]++;
      }
      found.every += counts.filter((n) => n === others).length / latents / rounds;
      found.any += counts.filter((n) => n > 0).length / latents / rounds;
      found.mean += counts.reduce((sum, n) => sum + n, 0) / others / latents / rounds;
    }
    const step = threshold * curveSteps;
    expect(single.reduce((sum, p) => sum + p, 0) / latents).toBeCloseTo(curve.mean[step], 10);
    for (const key of ['every', 'any', 'mean'] as const)
      expect(Math.abs(curve[key][step] - found[key])).toBeLessThan(Math.max(0.01 * found[key], 0.003));
    expect([curve.every[0], curve.every[curveSteps]]).toEqual([expect.closeTo(1, 3), 0]);
  });
});

test('at least k of m, as by counting outcomes', () => {
  expect(atLeast(0, 3, 0.2)).toBe(1);
  expect(atLeast(3, 3, 0.2)).toBeCloseTo(0.008, 12);
  expect(atLeast(2, 3, 0.2)).toBeCloseTo(3 * 0.04 * 0.8 + 0.008, 12);
  expect(atLeast(1, 2, 1)).toBe(1);
});
