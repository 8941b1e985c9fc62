/** A store of a past version (sae/store/fixtures/README.md) through the server's queries. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unitRows } from '../sae/comparison/directions.ts';
import { Random } from '../sae/numerics/random.ts';
import { createLazyscopeClient, type LazyscopeClient } from './client.ts';
import { serve, type RunningServer } from './serve.ts';

let root: string;
let server: RunningServer;
let client: LazyscopeClient;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lazyscope-past-'));
  await cp(join(import.meta.dirname, '../sae/store/fixtures/store-v1'), root, { recursive: true });
  const program = [process.execPath, join(import.meta.dirname, '../scripts/lazyscope.mjs')] as const;
  server = await serve({
    dataFolder: root,
    bundledModels: [],
    version: 'test',
    program,
    port: 0,
    log: () => {},
  });
  client = createLazyscopeClient({ url: server.url });
});
afterAll(async () => {
  await server?.close();
  await rm(root, { recursive: true, force: true });
});

test('nothing is left out', async () => {
  const none = { damaged: 0, newer: 0 };
  expect(await client.overview.get.query()).toMatchObject({
    runs: 6,
    features: 6 * 32,
    captures: 1,
    models: 1,
    comparisons: 3,
    sparsityReports: 1,
    leftOut: { runs: none, captures: none, comparisons: none, sparsityReports: none },
  });
});

test('runs are listed with their figures, and one is opened', async () => {
  const rows = await client.runs.list.query();
  expect(rows.map(({ name, seed }) => `${name}/${seed}`)).toEqual(
    ['jumprelu', 'relu', 'topk'].flatMap((name) => [`${name}/0`, `${name}/1`]),
  );
  for (const row of rows) expect(row.fvu).toBeGreaterThan(0);
  const run = await client.runs.get.query({ name: 'topk' });
  expect(run).toMatchObject({ model: 'tiny', manifest: { config: { architecture: 'topk', k: 4 } } });
  const metrics = await client.runs.metrics.query({ name: 'topk' });
  expect(metrics.seeds.map(({ step }) => step.length)).toEqual([5, 5]);
});

test('a feature, with its counterparts in the dictionaries it was compared with', async () => {
  const { rows } = await client.features.list.query({ run: 'topk', seed: 0, filter: { dead: false } });
  const feature = await client.features.get.query({ run: 'topk', seed: 0, latent: rows[0].latent });
  expect(feature.counterparts.map(({ comparison }) => comparison)).toEqual(['topk-0-1', 'topk-relu']);
  expect(feature.comparedSeeds).toBe(1);
  expect(feature.examples[0].examples.length).toBeGreaterThan(0);
  expect(feature.promoted[0].text).not.toMatch(/^#/);
});

test('a comparison, its matches and its map', async () => {
  const comparison = await client.comparisons.get.query({ name: 'topk-0-1' });
  expect(comparison).toMatchObject({ mapped: true, manifest: { latents: 32 } });
  expect(comparison.manifest.swap?.own.latents).toBe(0);
  const matches = await client.comparisons.matches.query({ name: 'topk-0-1' });
  expect(matches.total).toBe(32);
  expect((await client.comparisons.stability.query({ runName: 'topk' })).seeds).toEqual([0, 1]);
});

test('a comparison from before chance was measured has the exact law of directions without a preference', async () => {
  const { manifest, curve, isotropicChance } = await client.comparisons.get.query({ name: 'topk-0-1' });
  expect(manifest.chance).toBeUndefined();
  const { d } = (await client.runs.get.query({ name: 'topk' })).manifest;
  const random = Random.fromSeed(1);
  const rows = (count: number) =>
    unitRows({ rows: count, d, data: random.normals(count * d) }, 'random directions').data;
  const nearest = Array.from({ length: 1000 }, () => {
    const [one, others] = [rows(1), rows(manifest.latents)];
    const cosine = (j: number) => one.reduce((sum, value, k) => sum + value * others[j * d + k], 0);
    return Math.max(...Array.from({ length: manifest.latents }, (_, j) => cosine(j)));
  });
  expect(isotropicChance?.mmcs).toBeCloseTo(nearest.reduce((sum, c) => sum + c, 0) / nearest.length, 1.5);
  for (const { threshold, chance, nearestChance } of curve) {
    expect(chance).toBeNull();
    const share = nearest.filter((cosine) => cosine >= threshold).length / nearest.length;
    expect(Math.abs(share - (nearestChance ?? NaN))).toBeLessThan(0.06);
  }
});

test('a sparsity report with its neurons', async () => {
  const { report, curves } = await client.sparsity.get.query({ name: 'tiny' });
  expect([report.layers.length, curves.length]).toEqual([2, 2]);
  expect(report.interventions?.tradeoff.length).toBeGreaterThan(10);
  const neurons = await client.sparsity.neurons.query({ name: 'tiny', layer: 1 });
  expect(neurons.total).toBe(32);
});

test('how sparsity emerged while the model was trained', async () => {
  const [curve] = await client.sparsity.emergence.query();
  expect(curve).toMatchObject({ model: 'tiny', layers: 2 });
});
