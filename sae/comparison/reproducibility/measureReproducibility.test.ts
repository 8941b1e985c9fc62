import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDictionary } from '../../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../../fixtures/exampleConfig.ts';
import { toyHook, writeToyCapture } from '../../fixtures/toyCapture.ts';
import { Random } from '../../numerics/random.ts';
import { matchingsKind } from '../../spec/manifests/matchings.ts';
import { reproducibilityKind } from '../../spec/manifests/reproducibility.ts';
import { runKind, type RunManifest } from '../../spec/manifests/run.ts';
import { spacesKind } from '../../spec/manifests/spaces.ts';
import { stabilitySweepKind } from '../../spec/manifests/stabilitySweep.ts';
import { writeJsonAtomic } from '../../store/atomicWrite.ts';
import { matchings, spaces, stabilitySweep } from '../../store/fixtures/laterDocuments.ts';
import { StoreLayout } from '../../store/layout.ts';
import { queryParquet } from '../../store/parquet.ts';
import { readManifest } from '../../store/readManifest.ts';
import { writeManifest } from '../../store/writeManifest.ts';
import { tf } from '../../tensor/tf.ts';
import { compare } from '../compare.ts';
import { measureReproducibility } from './measureReproducibility.ts';
import { relatedReports } from './relatedReports.ts';

const d = 32;
const seeds = [3, 5, 8];
/** Latents that all seeds have with noise, that differ within a common subspace of eight dimensions, and that have nothing in common. */
const [stable, within, noise] = [40, 40, 40];
const width = stable + within + noise;
let store: StoreLayout;
/** Of each seed: which latent is where. */
const orders = new Map<number, Uint32Array>();

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'reproducibility-')));
  await writeToyCapture(store, 'toy');
  await writeRun('planted', (seed) => planted(seed));
  await writeRun('noise', (seed) => Random.fromSeed(seed, 'noise').normals(width * d));
});
afterAll(() => rm(store.root, { recursive: true }));

function planted(seed: number): Float32Array {
  const common = Random.fromSeed(1, 'common').normals((stable + 8) * d);
  const own = Random.fromSeed(seed, 'own');
  const rows = new Float32Array(width * d);
  for (let i = 0; i < width; i++)
    for (let k = 0, mix = own.normals(8); k < d; k++) {
      let value = own.normal();
      if (i < stable) value = common[i * d + k] + 0.25 * value;
      else if (i < stable + within)
        value = mix.reduce((sum, weight, j) => sum + weight * common[(stable + j) * d + k], 0);
      rows[i * d + k] = value;
    }
  const order = Random.fromSeed(seed, 'order').permutation(width);
  orders.set(seed, order);
  const out = new Float32Array(rows.length);
  order.forEach((to, i) => out.set(rows.subarray(i * d, (i + 1) * d), to * d));
  return out;
}

async function writeRun(name: string, decoder: (seed: number) => Float32Array): Promise<void> {
  const run: RunManifest = {
    version: 1,
    name,
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config: { ...exampleConfig('relu'), capture: 'toy', hook: toyHook, width, seeds },
    d,
    scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 },
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest(name), run);
  for (const seed of seeds) {
    const wDec = decoder(seed);
    await writeDictionary(
      store.dictionary(name, seed),
      { wEnc: wDec, wDec, bEnc: new Float32Array(width), bDec: new Float32Array(d), threshold: null },
      { architecture: 'relu', hook: toyHook, model: 'toy', run: name, seed, scale: 1, k: null },
    );
  }
  for (const [a, b] of [
    [3, 5],
    [8, 3],
    [5, 8],
  ])
    await compare({
      store,
      name: `${name}-${a}-${b}`,
      a: { run: name, seed: a },
      b: { run: name, seed: b },
      maxTokens: 0,
      nulls: null,
    });
}

/** Probability that a random one of `high` is above a random one of `low`. */
function auc(high: readonly number[], low: readonly number[]): number {
  const wins = high.flatMap((x) => low.map((y) => (x > y ? 1 : x === y ? 0.5 : 0)));
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
}

test('planted latents come back, and are told from the others', async () => {
  const report = await measureReproducibility({ store, run: 'planted', threshold: 0.85 });
  expect(await readManifest(store.reproducibility('planted'), reproducibilityKind)).toEqual(report);
  expect(report).toMatchObject({ seeds, latents: width, null: 'rows', controls: null });
  expect(report.every.share).toBeGreaterThanOrEqual(stable / width - 0.02);
  expect(report.every.share).toBeLessThan(stable / width + 0.1);
  expect(report.every.chance).toBeLessThan(0.1);
  expect(report.every.low).toBeLessThan(report.every.share);
  for (const seed of seeds) {
    const rows = await queryParquet('SELECT * FROM read_parquet($path) ORDER BY latent', {
      path: store.reproducibilityOfSeed('planted', seed),
    });
    const reach = Array.from(orders.get(seed) ?? [], (at) => Number(rows[at].everySeed ?? -1));
    const finite = reach.map((value) => (Number.isNaN(value) ? -1 : value));
    expect(auc(finite.slice(0, stable), finite.slice(stable))).toBeGreaterThanOrEqual(0.95);
    // Of those that do not come back, the ones within the common subspace lie in the other seeds' space.
    const shares = Array.from(orders.get(seed) ?? [], (at) => Number(rows[at].subspaceShare ?? NaN));
    const known = (part: number[]) => part.filter((value) => !Number.isNaN(value));
    const [inside, outside] = [shares.slice(stable, stable + within), shares.slice(stable + within)].map(
      known,
    );
    expect(inside.length).toBeGreaterThan(within / 2);
    expect(auc(inside, outside)).toBeGreaterThanOrEqual(0.95);
    for (const { returned, others, stability, low, high, chance, chanceP } of rows) {
      expect(others).toBe(2);
      expect(stability).toBe(Number(returned) / 2);
      expect(Number(low)).toBeLessThanOrEqual(Number(stability));
      expect(Number(high)).toBeGreaterThanOrEqual(Number(stability));
      if (returned === 2) expect(chanceP).toBeCloseTo(Number(chance) ** 2, 10);
    }
  }
  const curve = await queryParquet('SELECT * FROM read_parquet($path) ORDER BY threshold', {
    path: store.reproducibilityCurve('planted'),
  });
  expect(curve[34]).toMatchObject({ threshold: 0.85, every: report.every.share, any: report.any.share });
});

test('beside the report stands what other commands found of the run', async () => {
  const report = await measureReproducibility({ store, run: 'planted' });
  const before = await relatedReports(store, report);
  expect(before).toMatchObject({ matchings: null, spaces: [], sweeps: [] });
  expect(before.pairs).toHaveLength(3);
  for (const { a, b, mmcs, pwMcc, shared } of before.pairs) {
    expect(new Set([a.seed, b.seed]).size).toBe(2);
    for (const figure of [mmcs, pwMcc, shared]) expect(figure).toBeGreaterThan(0);
  }
  const own = { ...stabilitySweep, rows: [{ ...stabilitySweep.rows[0], run: 'planted' }] };
  const mine = { ...spaces, b: { run: 'planted', seed: 3 } };
  await writeManifest(store.sweepStability('own'), stabilitySweepKind, own);
  await writeManifest(store.sweepStability('other'), stabilitySweepKind, stabilitySweep);
  await writeManifest(store.spacesReport('mine'), spacesKind, mine);
  await writeManifest(store.spacesReport('others'), spacesKind, spaces);
  await writeManifest(store.matchings('planted'), matchingsKind, { ...matchings, run: 'planted' });
  expect(await relatedReports(store, report)).toEqual({
    ...before,
    matchings: { ...matchings, run: 'planted' },
    spaces: [mine],
    sweeps: [own],
  });
});

test('of noise hardly anything comes back, as chance says, and nothing is beyond it', async () => {
  const report = await measureReproducibility({ store, run: 'noise', threshold: 0.5 });
  expect(report.mean.share).toBeLessThanOrEqual(report.mean.chance);
  expect(report.mean.chance).toBeGreaterThan(0.01);
  expect(report.beyond.share).toBe(0);
});

test('a run of one seed, a pair not compared and a threshold beyond 1 are refused, with what to do', async () => {
  await rm(store.comparison('noise-8-3'), { recursive: true });
  await expect(measureReproducibility({ store, run: 'noise' })).rejects.toThrow(
    /Seeds 3 and 8 of run 'noise' have not been compared.*lazyscope compare noise\/3 noise\/8/,
  );
  await expect(measureReproducibility({ store, run: 'planted', threshold: 1.2 })).rejects.toThrow(/1\.2/);
  const run = await readManifest(store.runManifest('planted'), runKind);
  await writeJsonAtomic(store.runManifest('alone'), {
    ...run,
    name: 'alone',
    config: { ...run.config, seeds: [3] },
  });
  await expect(measureReproducibility({ store, run: 'alone' })).rejects.toThrow(/one seed only.*--seeds/);
});
