import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { finish } from '../../steps.ts';
import { tf } from '../../tensor/tf.ts';
import { spectrumOfCovariance, type Covariance } from './activationSpectrum.ts';
import { shapeOfCovarianceSteps, shapeOfSpectrum, type DirectionShape } from './directionShape.ts';

beforeAll(() => tf.setBackend('cpu'));

/** Of normal rows with standard deviations 1, ½, ⅓ …, mixed; `rank` of the d coordinates are combinations of those before them where it is less. */
function covariance(d: number, rank: number): Covariance {
  const random = Random.fromSeed(d, 'mix');
  const mix = Float64Array.from({ length: d * rank }, (_, at) => random.normal() / (1 + (at % rank)));
  const matrix = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++)
      for (let k = 0; k < rank; k++) matrix[i * d + j] += mix[i * rank + k] * mix[j * rank + k];
  return { d, matrix, rows: 1000 };
}

/** Σ v vᵀ / n over directions that are drawn. */
function momentOf({ source }: DirectionShape, n: number): Float64Array {
  const { d } = source;
  const { data } = source.draw(n, Random.fromSeed(3, 'directions'));
  const moment = new Float64Array(d * d);
  for (let row = 0; row < n; row++)
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) moment[i * d + j] += (data[row * d + i] * data[row * d + j]) / n;
  return moment;
}

test.each([
  ['of full rank', 12],
  ['whose later coordinates follow from the first', 5],
])(
  'a covariance %s gives the same directions and components by a triangular factor as by its eigenvectors',
  (_, rank) => {
    const d = 12;
    const given = covariance(d, rank);
    const [one, other] = [
      shapeOfSpectrum(spectrumOfCovariance(given)!),
      finish(shapeOfCovarianceSteps(given))!,
    ];
    const [p, q] = [momentOf(one, 20_000), momentOf(other, 20_000)];
    const size = Math.max(...p);
    // Two sets of so many directions differ by about 1/√20,000 of the largest moment.
    p.forEach((value, at) => expect(Math.abs(value - q[at])).toBeLessThan(0.03 * size));
    const [own, same] = [finish(one.componentSteps(3)), finish(other.componentSteps(3))];
    for (let k = 0; k < 3; k++) {
      let cosine = 0;
      for (let j = 0; j < d; j++) cosine += own[k * d + j] * same[k * d + j];
      expect(Math.abs(cosine)).toBeCloseTo(1, 5);
    }
  },
);

test('activations that do not vary have no shape', () => {
  expect(finish(shapeOfCovarianceSteps({ d: 3, matrix: new Float64Array(9), rows: 10 }))).toBeNull();
});
