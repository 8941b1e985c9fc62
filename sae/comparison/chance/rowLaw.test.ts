import { describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { condensedSpectrum } from './condensedSpectrum.ts';
import { expectedLargest, isotropicExceedance, largestExceedance } from './isotropicLaw.ts';
import { rowExceedance } from './rowLaw.ts';

/** Squared coordinates of a random unit vector. */
function randomSquares(d: number, random: Random): Float64Array {
  const squares = Float64Array.from(random.normals(d), (x) => x * x);
  const sum = squares.reduce((total, x) => total + x, 0);
  return squares.map((x) => x / sum);
}

describe('isotropic directions', () => {
  test('in three dimensions a cosine is uniform (Archimedes), in two its angle is', () => {
    for (const c of [-0.9, -0.2, 0, 0.4, 0.99]) {
      expect(isotropicExceedance(c, 3)).toBeCloseTo((1 - c) / 2, 12);
      expect(isotropicExceedance(c, 2)).toBeCloseTo(Math.acos(c) / Math.PI, 12);
    }
  });

  // scipy.special.betainc(63.5, 0.5, 1 − c²) / 2 of SciPy 1.17.1.
  test.each([
    [0.3, 0.5 * 0.0005521450846811807],
    [0.7, 0.5 * 2.6999408906595224e-20],
  ])('in 128 dimensions a cosine of %f is as rare as SciPy says', (c, expected) => {
    expect(isotropicExceedance(c, 128) / expected).toBeCloseTo(1, 10);
  });

  test('the largest of so many cosines that one alone is below rounding keeps its digits', () => {
    expect(largestExceedance(1e-30, 131_072) / 131_072e-30).toBeCloseTo(1, 12);
    expect(largestExceedance(0.5, 1)).toBe(0.5);
    // Cosines in three dimensions are uniform on [−1, 1]: the largest of n has mean (n − 1)/(n + 1).
    expect(expectedLargest((c) => isotropicExceedance(c, 3), 9)).toBeCloseTo(0.8, 5);
  });
});

describe('directions with a covariance, as near to one given row', () => {
  test.each([3, 16, 128, 768])('are isotropic where all eigenvalues are equal: d = %i', (d) => {
    const squares = randomSquares(d, Random.fromSeed(d));
    const eigenvalues = new Float64Array(d).fill(2.5);
    for (const c of [-0.4, 0.01, 0.1, 0.3, 0.5, 0.8])
      expect(rowExceedance(c, eigenvalues, squares) / isotropicExceedance(c, d)).toBeCloseTo(1, 6);
  });

  test('are as rare as a simulation finds', () => {
    const random = Random.fromSeed(3);
    const eigenvalues = Float64Array.from({ length: 8 }, (_, k) => 2 ** -k);
    const squares = randomSquares(8, random);
    const a = squares.map((x) => Math.sqrt(x));
    const levels = [-0.3, 0.05, 0.2, 0.4, 0.6, 0.7];
    const counts = levels.map(() => 0);
    const draws = 200_000;
    for (let draw = 0; draw < draws; draw++) {
      let dot = 0;
      let square = 0;
      for (let k = 0; k < 8; k++) {
        const v = Math.sqrt(eigenvalues[k]) * random.normal();
        dot += a[k] * v;
        square += v * v;
      }
      levels.forEach((c, at) => (counts[at] += dot >= c * Math.sqrt(square) ? 1 : 0));
    }
    levels.forEach((c, at) => {
      const p = rowExceedance(c, eigenvalues, squares);
      const standardError = Math.sqrt((p * (1 - p)) / draws);
      expect(Math.abs(counts[at] / draws - p)).toBeLessThan(3.5 * standardError);
    });
  });

  test('never come nearer to a row than its share outside their null space lets them', () => {
    const eigenvalues = Float64Array.of(1, 1, 1, 0);
    const squares = Float64Array.of(0.2, 0.2, 0.1, 0.5);
    expect(rowExceedance(Math.sqrt(0.5) + 1e-6, eigenvalues, squares)).toBe(0);
    // Within the three dimensions the row's own direction has cosine √½: c is as rare there as c·√2.
    expect(rowExceedance(0.5, eigenvalues, squares)).toBeCloseTo(isotropicExceedance(0.5 * Math.SQRT2, 3), 8);
  });
});

describe('a condensed spectrum', () => {
  const spectra = {
    'like 1/k': Float64Array.from({ length: 768 }, (_, k) => 1 / (k + 1)),
    'falling to 10⁻⁸, with zeros': Float64Array.from({ length: 500 }, (_, k) =>
      k < 480 ? Math.exp((-18.4 * k) / 480) : 0,
    ),
    'with one giant': Float64Array.from({ length: 256 }, (_, k) => (k === 0 ? 500 : 1 / (1 + k / 40))),
  };
  test.each(Object.entries(spectra))('gives the same probabilities to 0.2 %%: %s', (_, eigenvalues) => {
    const condensed = condensedSpectrum(eigenvalues);
    const size = condensed.eigenvalues.length;
    expect(size).toBeLessThan(eigenvalues.length / 3);
    const random = Random.fromSeed(9);
    const d = eigenvalues.length;
    // Rows across all components, rows that lean on the leading ones, and one along a single component.
    const rows = [0, 0.25, 0.5, 1].map((power) =>
      Float32Array.from(random.normals(d), (x, k) => x * eigenvalues[k] ** power),
    );
    rows.push(Float32Array.from({ length: d }, (_, k) => (k === 7 ? 1 : 0)));
    for (const row of rows) {
      const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
      const unit = row.map((x) => x / norm);
      const exact = Float64Array.from(unit, (x) => x * x);
      const squares = condensed.squares(unit);
      for (const c of [0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95]) {
        const p = rowExceedance(c, eigenvalues, exact);
        if (p < 1e-30) continue;
        expect(
          rowExceedance(c, condensed.eigenvalues, squares, 0, condensed.counts) / p,
          `cosine ${c}`,
        ).toBeCloseTo(1, 2.4);
      }
    }
  });
});
