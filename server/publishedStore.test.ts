/** A published store answers as the store does that it was published from. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFolder, type StaticServer } from '../sae/fixtures/staticServer.ts';
import { StoreLayout } from '../sae/store/layout.ts';
import { mountRemote } from '../sae/store/remote/bringIn.ts';
import { CachedStore } from '../sae/store/remote/cachedStore.ts';
import { fetchStore } from '../sae/store/remote/fetchStore.ts';
import { HttpSource } from '../sae/store/remote/httpSource.ts';
import { indexStore } from '../sae/store/remote/storeFiles.ts';
import { createLazyscopeClient, type LazyscopeClient } from './client.ts';
import { exportPublishedLabels, importPublishedLabels } from './publishedLabels.ts';
import { serve, type RunningServer } from './serve.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let caches: string;
let own: TestServer;
let files: StaticServer;
let cached: CachedStore;
let server: RunningServer;
let client: LazyscopeClient;
let unmount: () => void;

const feature = { run: 'fixture-topk', seed: 0, latent: 3 };

beforeAll(async () => {
  caches = await mkdtemp(join(tmpdir(), 'lazyscope-caches-'));
  own = await startTestServer();
  await own.client.labels.set.mutate({ ...feature, label: 'the sea', note: 'and ships' });
  await own.client.lists.add.mutate({ name: 'nautical', features: [feature, { ...feature, latent: 5 }] });
  // The database is one process's.
  await own.server.close();
  await exportPublishedLabels(own.store);
  await indexStore({ store: own.store });
  own.server = await serve(await options(own.store.root));
  own.client = createLazyscopeClient({ url: own.server.url });
  files = await serveFolder(own.store.root, { under: '/studies/sea' });
  cached = await CachedStore.open({ url: files.url, caches, mostBytes: 1e9 });
  unmount = mountRemote(cached);
  server = await serve({ ...(await options(cached.root)), publishedAt: cached.url });
  client = createLazyscopeClient({ url: server.url });
});
afterAll(async () => {
  await server.close();
  unmount();
  await cached.close();
  await files.close();
  await own.stop();
  await rm(caches, { recursive: true, force: true });
});

async function options(dataFolder: string) {
  const program = [process.execPath, join(import.meta.dirname, '..', 'scripts', 'lazyscope.mjs')] as const;
  return { dataFolder, bundledModels: [], version: '0.0.0-test', program, port: 0, log: () => {} };
}

test('opening it fetches manifests alone', () => {
  const tables = files.requests.filter((one) => !one.endsWith('.json'));
  expect(tables).toEqual([]);
  expect(files.requests.filter((one) => one.includes('run.json')).length).toBeGreaterThan(1);
});

test('every question gets the same answer', async () => {
  const dictionary = { run: feature.run, seed: feature.seed };
  const questions: ((of: LazyscopeClient) => Promise<unknown>)[] = [
    (of) => of.runs.list.query(),
    (of) => of.runs.get.query({ name: feature.run }),
    (of) => of.runs.metrics.query({ name: feature.run, maxPoints: 50 }),
    (of) => of.runs.reproducibility.query({ name: feature.run }),
    (of) => of.runs.matchings.query({ name: feature.run }),
    (of) => of.captures.list.query(),
    (of) => of.captures.norms.query({ name: 'fixture', hook: 'blocks.0.hook_resid_post' }),
    (of) => of.features.list.query({ ...dictionary, sort: 'stability', order: 'desc', limit: 20 }),
    (of) => of.features.list.query({ ...dictionary, filter: { text: 'whale' } }),
    (of) => of.features.get.query(feature),
    (of) => of.features.flows.query(feature),
    (of) => of.features.reproducibility.query(feature),
    (of) => of.comparisons.list.query(),
    async (of) => {
      const [{ name }] = await of.comparisons.list.query();
      return [
        await of.comparisons.get.query({ name }),
        await of.comparisons.matches.query({ name, limit: 10, threshold: 0.4 }),
      ];
    },
    (of) => of.comparisons.stability.query({ runName: feature.run }),
    (of) => of.comparisons.orphans.query(dictionary),
    (of) => of.search.find.query({ text: 'the', limit: 5 }),
    (of) => of.labels.list.query({}),
    (of) => of.lists.list.query(),
    (of) => of.sparsity.list.query(),
    async (of) => {
      const [{ name }] = await of.sparsity.list.query();
      return [
        await of.sparsity.get.query({ name }),
        await of.sparsity.neurons.query({ name, layer: 0, sort: 'frequency', limit: 5 }),
        await of.sparsity.neuron.query({ name, layer: 0, neuron: 1 }),
      ];
    },
  ];
  for (const ask of questions) {
    const expected = await ask(own.client);
    expect(await ask(client), ask.toString()).toEqual(expected);
    expect(JSON.stringify(expected).length, ask.toString()).toBeGreaterThan(1);
  }
  const [label] = await client.labels.list.query({});
  expect(label).toMatchObject({ ...feature, label: 'the sea', note: 'and ships' });
});

test('whole tables are fetched and passed on', async () => {
  for (const path of [
    '/api/parquet/features?run=fixture-topk&seed=0',
    '/api/csv/examples?run=fixture-topk&seed=1&latent=2',
    '/api/arrow/metrics?run=fixture-topk',
  ]) {
    const [expected, found] = await Promise.all(
      [own.server.url, server.url].map(async (url) => {
        const response = await fetch(`${url}${path}`);
        return [response.status, Buffer.from(await response.arrayBuffer()).toString('base64')];
      }),
    );
    expect(found, path).toEqual(expected);
    expect(found[0], path).toBe(200);
  }
});

test('it says where it lies, and that nothing can be changed there', async () => {
  expect((await client.overview.get.query()).dataFolder).toBe(`${files.url}/`);
  const line = `Nothing can be changed in a published store: copy it with 'lazyscope store fetch ${files.url}/ --data FOLDER', and serve the copy.`;
  await expect(client.labels.set.mutate({ ...feature, label: 'mine', note: '' })).rejects.toMatchObject({
    message: line,
    data: { code: 'CONFLICT' },
  });
  await expect(
    client.jobs.start.mutate({ kind: 'index', input: { run: feature.run, options: {} } } as never),
  ).rejects.toThrow();
  expect(await client.jobs.list.query()).toEqual([]);
});

test('a copy of it has the labels and lists, which can be changed there', async () => {
  const store = new StoreLayout(join(caches, 'copy'));
  await fetchStore({ source: new HttpSource(files.url), store });
  await importPublishedLabels(store);
  const copy = await serve(await options(store.root));
  const of = createLazyscopeClient({ url: copy.url });
  expect(await of.labels.list.query({})).toEqual(await own.client.labels.list.query({}));
  expect(await of.lists.list.query()).toEqual(await own.client.lists.list.query());
  await of.labels.set.mutate({ ...feature, label: 'ships', note: '' });
  expect(await of.labels.list.query({})).toMatchObject([{ label: 'ships' }]);
  await copy.close();
});
