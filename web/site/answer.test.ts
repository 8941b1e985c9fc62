/** A published site answers as the server does that it was published by. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serveFolder, type StaticServer } from '../../sae/fixtures/staticServer.ts';
import { spaces, stabilitySweep } from '../../sae/store/fixtures/laterDocuments.ts';
import { writeManifest } from '../../sae/store/writeManifest.ts';
import { spacesKind } from '../../sae/spec/manifests/spaces.ts';
import { stabilitySweepKind } from '../../sae/spec/manifests/stabilitySweep.ts';
import { featureView, orphanSorts } from '../../sae/spec/tables/features.ts';
import { matchView } from '../../sae/spec/tables/matches.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import { publishSite, type PublishedSite, type PublishOptions } from '../../server/site/publishSite.ts';
import { serve } from '../../server/serve.ts';
import { createLazyscopeClient } from '../../server/client.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { answer } from './answer.ts';
import { arrowBytes } from './siteArrow.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const run = 'fixture-topk';
let folder: string;
let own: TestServer;
let site: PublishedSite;
let host: StaticServer;
/** Of the server, by the names that the explorer uses. */
let ask: (procedure: string, input?: unknown) => Promise<unknown>;

const publishing = (more: Partial<PublishOptions> = {}): PublishOptions => ({
  store: own.store,
  runs: [run],
  out: join(folder, 'site'),
  putPages: async (place) => {
    await rm(place, { recursive: true, force: true });
    await import('node:fs/promises').then(({ mkdir }) => mkdir(place, { recursive: true }));
    await writeFile(join(place, 'index.html'), 'the pages');
  },
  bundledModels: [],
  version: '0.0.0-test',
  withStore: true,
  log: () => {},
  ...more,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-site-'));
  own = await startTestServer();
  await own.client.labels.set.mutate({ run, seed: 0, latent: 3, label: 'the open sea', note: 'and ships' });
  await own.client.labels.set.mutate({ run: 'fixture-relu', seed: 0, latent: 1, label: 'private', note: '' });
  await own.client.lists.add.mutate({ name: 'nautical', features: [{ run, seed: 0, latent: 3 }] });
  await own.server.close();
  // What is known of spaces and sweeps goes along where all its runs do.
  const both = { a: { run, seed: 0 }, b: { run, seed: 1 } };
  for (const [name, sides] of [
    ['inside', both],
    ['half', { ...both, b: { run: 'fixture-relu', seed: 0 } }],
  ] as const)
    await writeManifest(own.store.spacesReport(name), spacesKind, { ...spaces, name, ...sides });
  const [row] = stabilitySweep.rows;
  for (const [name, runs] of [
    ['inside', [run]],
    ['half', [run, 'fixture-relu']],
  ] as const)
    await writeManifest(own.store.sweepStability(name), stabilitySweepKind, {
      ...stabilitySweep,
      name,
      rows: runs.map((each) => ({ ...row, run: each })),
    });
  site = await publishSite(publishing());
  host = await serveFolder(site.out, { under: '/a/study', ranges: false });
  const { fetch } = globalThis;
  vi.stubGlobal('fetch', (file: string) => fetch(new URL(file, `${host.url}/`)));
  // A server of the published runs alone, from the tables beside the site.
  own.server = await serve({
    dataFolder: join(site.out, 'data'),
    publishedAt: 'Published study',
    bundledModels: [own.store.models()],
    version: '0.0.0-test',
    program: [process.execPath, ''],
    port: 0,
    log: () => {},
  });
  const { url } = own.server;
  own.client = createLazyscopeClient({ url });
  ask = async (procedure, input) => {
    const query = input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`;
    const response = await fetch(`${url}/trpc/${procedure}${query}`);
    const { result, error } = (await response.json()) as {
      result?: { data: unknown };
      error?: { message: string };
    };
    if (!result) throw new Error(error?.message);
    return result.data;
  };
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await host.close();
  await own.stop();
  await rm(folder, { recursive: true, force: true });
});

async function same(procedure: string, input?: unknown) {
  const expected = await ask(procedure, input);
  expect(await answer({ procedure, input }), `${procedure} ${JSON.stringify(input)}`).toEqual(expected);
  return expected;
}

test('the answers about runs, captures and comparisons', async () => {
  const comparisons = (await same('comparisons.list')) as { name: string }[];
  expect(comparisons.length).toBeGreaterThan(1);
  for (const procedure of [
    'overview.get',
    'runs.list',
    'captures.list',
    'lists.list',
    'sparsity.list',
    'jobs.list',
  ])
    await same(procedure);
  for (const procedure of [
    'runs.get',
    'runs.reproducibility',
    'runs.matchings',
    'runs.spaces',
    'runs.sweeps',
  ])
    await same(procedure, { name: run });
  await same('runs.metrics', { name: run, maxPoints: 400 });
  await same('comparisons.stability', { runName: run });
  await same('captures.norms', { name: 'fixture', hook: 'blocks.0.hook_resid_post' });
  for (const seed of [0, 1, 2]) await same('labels.names', { run, seed });
  for (const { name } of comparisons) await same('comparisons.get', { name });
});

test('comparisons of spaces and sweeps, where all that they are about is published', async () => {
  for (const procedure of ['runs.spaces', 'runs.sweeps'])
    expect(await same(procedure, { name: run })).toEqual([expect.objectContaining({ name: 'inside' })]);
});

test('every page of every latent', async () => {
  const { total } = (await same('features.list', { run, seed: 1, filter: {} })) as { total: number };
  expect(total).toBeGreaterThan(20);
  for (const seed of [0, 1, 2])
    for (let latent = 0; latent < total; latent++) {
      const feature = { run, seed, latent };
      const { examples } = (await same('features.get', feature)) as { examples: unknown[] };
      if (latent === 3) expect(examples.length).toBeGreaterThan(0);
      await same('features.reproducibility', feature);
      await same('features.flows', feature);
    }
});

describe('lists', () => {
  test('of latents, in every order', async () => {
    for (const sort of sortsOf(featureView))
      for (const order of ['asc', 'desc'])
        for (const offset of [0, 7])
          await same('features.list', { run, seed: 0, sort, order, offset, limit: 9 });
  });

  test.each([
    { dead: true }, { dead: false }, { minDensity: 0.01 }, { maxDensity: 0.05, minDensity: 0.001 },
    { minStability: 1 }, { maxStability: 0 }, { minStability: 0.4, maxStability: 0.6 }, { latent: 5 },
    { latents: [1, 4, 4000] }, { labelled: true }, { labelled: false }, { list: 'nautical' }, { token: 'wh' }, { token: 'The' },
  ])('of latents by %j', async (filter) => {
    await same('features.list', { run, seed: 0, filter, limit: 500 });
  }); // prettier-ignore

  test('of latents by a word in tokens and labels; examples are not searched', async () => {
    for (const text of ['open', 'the', 'sea', 'nothing like it'])
      await same('features.list', { run, seed: 0, sort: 'density', filter: { text }, limit: 500 });
    expect(
      await answer({ procedure: 'features.list', input: { run, seed: 0, filter: { text: 'open sea' } } }),
    ).toMatchObject({
      total: 1,
      searched: 'tokens and labels',
    });
  });

  test('of matches, in every order, by every bound and at another threshold', async () => {
    const [{ name }] = (await ask('comparisons.list')) as { name: string }[];
    for (const sort of sortsOf(matchView))
      for (const order of ['asc', 'desc'])
        await same('comparisons.matches', { name, sort, order, limit: 40 });
    for (const bound of [
      { shared: true }, { shared: false }, { minCosine: 0.5 }, { maxCosine: 0.5 }, { threshold: 0.2, shared: true },
      { threshold: 0.95, shared: false, minCosine: 0.3, offset: 3 },
    ])
      await same('comparisons.matches', { name, limit: 500, ...bound }); // prettier-ignore
  });

  test('of orphans, at any threshold', async () => {
    const totals = new Set<number>();
    for (const threshold of [undefined, 0.1, 0.5, 0.9, 0.999])
      for (const sort of orphanSorts) {
        const page = await same('comparisons.orphans', {
          run,
          seed: 2,
          sort,
          ...(threshold && { threshold }),
        });
        totals.add((page as { total: number }).total);
      }
    expect(totals.size).toBeGreaterThan(1);
  });
});

test('tables of charts', async () => {
  const response = await globalThis.fetch(`${own.server.url}/api/arrow/stability/${run}`);
  const expected = tableFromIPC(new Uint8Array(await response.arrayBuffer()));
  expect(
    tableFromIPC(await arrowBytes(`stability/${run}`))
      .toArray()
      .map(String),
  ).toEqual(expected.toArray().map(String));
  await expect(arrowBytes('map/none')).rejects.toThrow('not part of the published study');
});

test('nothing of what was not published is in it', async () => {
  const names = (await readdir(site.out, { recursive: true })).filter((name) => /relu|gelu/.test(name));
  expect(names).toEqual([]);
  expect(JSON.stringify(await ask('labels.list', {}))).not.toContain('private');
  await expect(answer({ procedure: 'runs.get', input: { name: 'fixture-relu' } })).rejects.toThrow(
    'not part of',
  );
  await expect(
    answer({ procedure: 'features.get', input: { run, seed: 0, latent: 99_999 } }),
  ).rejects.toThrow('not part of');
  expect(names.filter((name) => name.endsWith('.duckdb') || name.endsWith('sae.safetensors'))).toEqual([]);
});

test('a later site takes the place of an earlier one, and of nothing else', async () => {
  await own.server.close();
  const other = join(folder, 'other');
  const error = await publishSite(publishing({ out: own.store.root })).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('something else than a published site'),
  });
  await publishSite(publishing({ out: other, withStore: false, runs: ['fixture-relu'] }));
  const again = await publishSite(publishing({ out: other, withStore: false }));
  expect(again).toMatchObject({ runs: [run], storeBytes: 0 });
  expect((await readdir(other)).sort()).toEqual(['answers', 'index.html', 'lazyscope-site.json']);
  expect(JSON.parse(await readFile(join(other, 'lazyscope-site.json'), 'utf8'))).toMatchObject({
    runs: [run],
  });
  await expect(publishSite(publishing({ runs: ['none'] }))).rejects.toMatchObject({ code: 'not_found' });
  // Whatever goes wrong, nothing is left beside it.
  expect((await readdir(folder)).sort()).toEqual(['other', 'site']);
});
