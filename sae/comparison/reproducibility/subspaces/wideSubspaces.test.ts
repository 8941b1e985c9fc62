/** What the exact path does for narrow activations and few latents, for activations wider than 2,048 and for more latents than are clustered. */
import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../../numerics/random.ts';
import { symmetricEigen } from '../../../numerics/symmetricEigen.ts';
import { silent } from '../../../progress.ts';
import { finish } from '../../../steps.ts';
import { tf } from '../../../tensor/tf.ts';
import { unitRows, type Directions } from '../../directions.ts';
import { leadingSpace, participationRatio, participationRatioOf, spanOf } from './leadingSpace.ts';
import { measureSubspaces } from './measureSubspaces.ts';
import { clusterSteps, joinedSteps } from './unstableClusters.ts';

beforeAll(() => tf.setBackend('cpu'));

/** Rows in `spaces` planted subspaces of six dimensions in turn, the same for every seed. */
function planted(seed: number, { rows, d, spaces }: { rows: number; d: number; spaces: number }): Directions {
  const common = Random.fromSeed(1, 'common').normals(6 * spaces * d);
  const own = Random.fromSeed(seed, 'own');
  const data = new Float32Array(rows * d);
  for (let i = 0; i < rows; i++)
    for (const [j, weight] of own.normals(6).entries())
      for (let k = 0; k < d; k++) data[i * d + k] += weight * common[((i % spaces) * 6 + j) * d + k];
  return unitRows({ rows, d, data }, 'a test');
}

test.each([
  ['fewer rows than dimensions', 30, 48],
  ['more', 200, 48],
])('the span of %s is that of the whole decomposition', (_, rows, d) => {
  const given = planted(4, { rows, d, spaces: 3 });
  const moment = new Float64Array(d * d);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) moment[i * d + j] += given.data[row * d + i] * given.data[row * d + j];
  const whole = symmetricEigen(moment, d);
  const span = spanOf(given);
  for (let i = 0; i < 18; i++) expect(span.eigenvalues[i]).toBeCloseTo(whole.values[i], 3);
  expect(participationRatioOf(given)).toBeCloseTo(participationRatio(span.eigenvalues), 4);
  const space = leadingSpace(span, 18);
  // The projection on the leading dimensions, in which signs and order do not count.
  for (let i = 0; i < d; i++) {
    let [own, other] = [0, 0];
    for (let k = 0; k < 18; k++) {
      own += space.vectors[k * d + i] ** 2;
      other += whole.vectors[k * d + i] ** 2;
    }
    expect(own).toBeCloseTo(other, 3);
  }
});

test('activations wider than 2,048 have subspaces too, which are found again', async () => {
  const d = 2304;
  const unstable = new Map(
    [2, 3].map((seed) => {
      const rows = planted(seed, { rows: 40, d, spaces: 1 });
      return [seed, { rows, latents: [...Array(40).keys()] }];
    }),
  );
  const found = await measureSubspaces({ unstable, activations: null, report: silent, signal: undefined });
  const { report } = found!;
  expect(report.rank).toBeGreaterThan(4);
  expect(report.rank).toBeLessThan(7);
  // Five of the six dimensions are compared.
  expect(report.affinity.seeds).toBeGreaterThan(0.7);
  expect(report.affinity.chance).toBeLessThan(0.1);
  expect(report.found.share).toBe(1);
}, 120_000);

test('latents beyond those that are clustered join the cluster of their planted subspace, or none', () => {
  const d = 96;
  const clustered = planted(5, { rows: 120, d, spaces: 2 });
  const seedOf = Int32Array.from({ length: 120 }, (_, i) => Math.floor(i / 60));
  const random = unitRows({ rows: 50, d, data: Random.fromSeed(9).normals(50 * d) }, 'a test');
  const found = finish(clusterSteps(clustered, { seedOf, seeds: 2, random }));
  const further = planted(6, { rows: 40, d, spaces: 2 });
  const joined = finish(joinedSteps(further, clustered, found));
  const numberOf = (which: number) => found.of[which];
  const right = [...joined].filter(
    (cluster, i) => cluster >= 0 && found.clusters[cluster].members.every((row) => row % 2 === i % 2),
  );
  expect(right.length).toBeGreaterThan(34);
  expect(numberOf(0)).not.toBe(numberOf(1));
  // A copy of a direction that was clustered is in its cluster.
  expect([...finish(joinedSteps(clustered, clustered, found))]).toEqual([...found.of]);
  const strangers = unitRows({ rows: 40, d, data: Random.fromSeed(8).normals(40 * d) }, 'a test');
  expect(
    [...finish(joinedSteps(strangers, clustered, found))].filter((cluster) => cluster < 0).length,
  ).toBeGreaterThan(30);
});

test('with more latents than are clustered at most, what is found is what clustering all of them finds', async () => {
  const unstable = new Map(
    [2, 3, 5].map((seed) => {
      const rows = planted(seed, { rows: 120, d: 40, spaces: 2 });
      return [seed, { rows, latents: [...Array(120).keys()] }];
    }),
  );
  const given = { unstable, activations: null, report: silent, signal: undefined };
  const [whole, some] = [
    await measureSubspaces(given),
    await measureSubspaces({ ...given, mostClustered: 200 }),
  ];
  expect(whole!.report.clusters.latents).toBe(360);
  expect(some!.report.clusters.latents).toBe(200);
  for (const { latents } of [whole!, some!])
    for (const own of latents.values()) {
      // Of latents in the same planted subspace nearly all are in the same cluster, or in one of its own parts.
      const together = new Map<number, Set<number>>();
      for (const [latent, { cluster }] of own)
        if (cluster >= 0) together.set(cluster, (together.get(cluster) ?? new Set()).add(latent % 2));
      expect([...together.values()].every((planes) => planes.size === 1)).toBe(true);
      expect([...own.values()].filter(({ cluster }) => cluster >= 0).length).toBeGreaterThan(105);
    }
}, 60_000);
