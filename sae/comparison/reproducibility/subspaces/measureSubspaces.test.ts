import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../numerics/random.ts';
import { silent } from '../../../progress.ts';
import { tf } from '../../../tensor/tf.ts';
import { unitRows, type Directions } from '../../directions.ts';
import { affinity, entropyRank, leadingSpace, participationRatio, principalCosines, shareInside, spanOf } from './leadingSpace.ts'; // prettier-ignore
import { measureSubspaces } from './measureSubspaces.ts';

beforeAll(() => tf.setBackend('cpu'));

const unit = (rows: number, d: number, data: Float32Array): Directions =>
  unitRows({ rows, d, data }, 'a test');

describe('spans', () => {
  test('of planted rank and angle are recovered, with fewer rows than dimensions and with more', () => {
    const d = 24;
    // Five dimensions each; angles of 0, 20, 40, 60 and 90 degrees between them.
    const angles = [0, 20, 40, 60, 90].map((degrees) => (degrees * Math.PI) / 180);
    for (const rows of [20, 400]) {
      const [a, b] = [1, 2].map((seed) => {
        const random = Random.fromSeed(seed, 'mix');
        const data = new Float32Array(rows * d);
        for (let i = 0; i < rows; i++)
          angles.forEach((angle, k) => {
            const part = random.normal();
            data[i * d + k] += seed === 1 ? part : part * Math.cos(angle);
            if (seed === 2) data[i * d + 5 + k] += part * Math.sin(angle);
          });
        return spanOf(unit(rows, d, data));
      });
      for (const { eigenvalues } of [a, b]) {
        expect(eigenvalues.filter((value) => value > 1e-3)).toHaveLength(5);
        expect(participationRatio(eigenvalues)).toBeGreaterThan(rows === 400 ? 4.8 : 3.4);
        expect(participationRatio(eigenvalues)).toBeLessThan(5);
        expect(entropyRank(eigenvalues)).toBeLessThan(5);
        expect(entropyRank(eigenvalues)).toBeGreaterThanOrEqual(participationRatio(eigenvalues));
      }
      const cosines = principalCosines(leadingSpace(a, 5), leadingSpace(b, 5));
      angles.forEach((angle, k) => expect(cosines[k]).toBeCloseTo(Math.cos(angle), 3));
      expect(affinity(cosines)).toBeCloseTo(
        angles.reduce((sum, angle) => sum + Math.cos(angle) ** 2 / 5, 0),
        4,
      );
    }
  });

  test('share inside, ranks and cosines are those of numpy', () => {
    // scripts/peers/subspaces.py prints them.
    const numpy = {
      pr: [2.155337703, 2.476529621],
      er: [2.329473388, 2.732078559],
      cosines: [0.780510128, 0.31603372],
      shares: [0.220409808, 0.383421049, 0.614241798],
    };
    const d = 4;
    const a = unit(3, d, Float32Array.of(1, 2, 0, -1, 0.5, -1, 3, 2, 2, 0.25, 1, 1));
    const b = unit(5, d, Float32Array.of(0, 1, 1, 0, 2, -1, 0, 1, 1, 1, 1, 3, -1, 2, 0, 1, 0.5, 0, 0, 2));
    const [sa, sb] = [spanOf(a), spanOf(b)];
    expect(participationRatio(sa.eigenvalues)).toBeCloseTo(numpy.pr[0], 5);
    expect(participationRatio(sb.eigenvalues)).toBeCloseTo(numpy.pr[1], 5);
    expect(entropyRank(sa.eigenvalues)).toBeCloseTo(numpy.er[0], 5);
    expect(entropyRank(sb.eigenvalues)).toBeCloseTo(numpy.er[1], 5);
    const [la, lb] = [leadingSpace(sa, 2), leadingSpace(sb, 2)];
    principalCosines(la, lb).forEach((cosine, i) => expect(cosine).toBeCloseTo(numpy.cosines[i], 5));
    shareInside(a, lb).forEach((share, i) => expect(share).toBeCloseTo(numpy.shares[i], 5));
  });
});

const d = 48;
const [within, noise] = [60, 60];
/** Of each seed: latents within one of two common subspaces of six dimensions each, then such as have nothing in common. */
function planted(seed: number) {
  const common = Random.fromSeed(1, 'common').normals(12 * d);
  const own = Random.fromSeed(seed, 'own');
  const data = new Float32Array((within + noise) * d);
  for (let i = 0; i < within + noise; i++) {
    const mix = own.normals(6);
    for (let k = 0; k < d; k++)
      data[i * d + k] =
        i < within
          ? mix.reduce((sum, weight, j) => sum + weight * common[((i % 2) * 6 + j) * d + k], 0)
          : own.normal();
  }
  const rows = unit(within + noise, d, data);
  return { rows, latents: Array.from({ length: rows.rows }, (_, i) => i) };
}

/** Probability that a random one of `high` is above a random one of `low`. */
function auc(high: readonly number[], low: readonly number[]): number {
  const wins = high.flatMap((x) => low.map((y) => (x > y ? 1 : x === y ? 0.5 : 0)));
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
}

test('latents within planted subspaces are told from noise, and their clusters have the planted rank', async () => {
  const unstable = new Map([2, 3, 5].map((seed) => [seed, planted(seed)]));
  const found = await measureSubspaces({ unstable, activations: null, report: silent, signal: undefined });
  const { report, latents } = found!;
  for (const own of latents.values()) {
    const shares = [...own.values()].map(({ share }) => share);
    expect(auc(shares.slice(0, within), shares.slice(within))).toBeGreaterThanOrEqual(0.95);
  }
  const all = [...latents.values()].flatMap((own) => [...own].map(([latent, { p }]) => ({ latent, p })));
  const discovered = all.filter(({ p }) => p <= report.found.p);
  expect(report.found.share).toBeCloseTo(discovered.length / all.length, 12);
  expect(discovered.filter(({ latent }) => latent < within).length).toBeGreaterThan(0.9 * 3 * within);
  // Noise is a discovery no more often than the rate of false ones lets it be.
  expect(discovered.filter(({ latent }) => latent >= within).length).toBeLessThan(0.15 * discovered.length);
  expect(report.affinity.seeds).toBeGreaterThan(report.affinity.chance + 0.1);
  expect(report.affinity).toMatchObject({ random: report.rank / d, components: null });

  // Each planted subspace fills a cluster of its own, found again in the other seeds, with its rank.
  const two = [0, 1].map((which) => {
    const numbers = [...latents.values()].flatMap((own) =>
      [...own]
        .filter(([latent]) => latent < within && latent % 2 === which)
        .map(([, { cluster }]) => cluster),
    );
    const [cluster] = [...new Set(numbers)].sort(
      (p, q) => numbers.filter((n) => n === q).length - numbers.filter((n) => n === p).length,
    );
    return { ...report.clusters.largest[cluster], cluster };
  });
  expect(two[0].cluster).not.toBe(two[1].cluster);
  for (const { found: again, rank, share, chance } of two) {
    expect(again).toBe(true);
    expect(rank).toBeGreaterThan(4.5);
    expect(rank).toBeLessThan(7.5);
    expect(share).toBeGreaterThan(chance! + 0.3);
  }
}, 60_000);

test('of noise no more is found than chance gives', async () => {
  const unstable = new Map(
    [2, 3, 5].map((seed) => {
      const rows = unit(100, d, Random.fromSeed(seed, 'noise').normals(100 * d));
      return [seed, { rows, latents: Array.from({ length: 100 }, (_, i) => i) }];
    }),
  );
  const { report } = (await measureSubspaces({
    unstable,
    activations: null,
    report: silent,
    signal: undefined,
  }))!;
  expect(report.found.share).toBeLessThan(0.02);
  expect(report.affinity.seeds).toBeCloseTo(report.affinity.chance, 1);
  expect(report.clusters.latentsFound).toBeLessThan(0.25 * report.clusters.latents);
}, 60_000);

test('one seed with unstable latents has nothing to be beside', async () => {
  const unstable = new Map([
    [0, planted(0)],
    [1, { ...planted(1), latents: [4] }],
  ]);
  expect(
    await measureSubspaces({ unstable, activations: null, report: silent, signal: undefined }),
  ).toBeNull();
});
