/** A published site answers as the server does that it was published by. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serveFolder, type StaticServer } from '../../sae/fixtures/staticServer.ts';
import { writeLabels } from '../../sae/labels/labelsTable.ts';
import { spaces, stabilitySweep } from '../../sae/store/fixtures/laterDocuments.ts';
import { writeManifest } from '../../sae/store/writeManifest.ts';
import { spacesKind } from '../../sae/spec/manifests/spaces.ts';
import { stabilitySweepKind } from '../../sae/spec/manifests/stabilitySweep.ts';
import { featureView, orphanSorts } from '../../sae/spec/tables/features.ts';
import { matchView } from '../../sae/spec/tables/matches.ts';
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import { sortsOf } from '../../sae/spec/tables/table.ts';
import { publishSite, type PublishedSite, type PublishOptions } from '../../server/site/publishSite.ts';
import { serve } from '../../server/serve.ts';
import {
  createLazyscopeClient,
  type EmergenceCurve,
  type NeuronDetail,
  type Overview,
  type SearchPage,
} from '../../server/client.ts';
import { labelSorts } from '../../server/contract/labels.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { answer } from './answer.ts';
import { arrowBytes } from './siteArrow.ts';
import { tableCsv, type TableOf } from './tableCsv.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const run = 'fixture-topk';
/** Of the model that the run looks into, which the report of the other model is not published with. */
const report = 'fixture-relu';
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
  await own.client.labels.set.mutate({ run, seed: 2, latent: 7, label: 'a Whale', note: 'Ahab’s' });
  const counts = { positives: 10, truePositives: 9, negatives: 50, trueNegatives: 40, unanswered: 1 };
  const automatic = [1, 3, 11].map((latent) => ({
    latent,
    label: `rule ${latent}`,
    model: null,
    createdAt: '2026-01-02T03:04:05.000Z',
    detection: { ...counts, truePositives: latent % 10 },
    fuzzing: null,
  }));
  await writeLabels(own.store.automaticLabels(run, 0, 'data'), automatic);
  await own.client.lists.add.mutate({ name: 'nautical', features: [{ run, seed: 0, latent: 3 }] });
  // In another order than that of their numbers, and with one that is not published.
  for (const [seed, latent] of [
    [2, 7],
    [0, 9],
    [0, 3],
  ])
    // prettier-ignore
    await own.client.lists.add.mutate({ name: 'by-joining', features: [{ run, seed, latent }] });
  await own.client.lists.add.mutate({
    name: 'by-joining',
    features: [{ run: 'fixture-relu', seed: 0, latent: 1 }],
  });
  await own.server.close();
  // One seed was indexed before there was search.
  await rm(own.store.searchIndex(run, 2));
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
  for (const procedure of ['runs.list', 'captures.list', 'lists.list', 'sparsity.list', 'jobs.list'])
    await same(procedure);
  // The store has a second model, which nothing that is published looks into.
  const overview = (await ask('overview.get')) as Overview;
  expect(overview.models).toBe(2);
  expect(await answer({ procedure: 'overview.get', input: undefined })).toEqual({ ...overview, models: 1 });
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
  for (const name of [run, report]) for (const text of ['', 'x']) await same('labels.names', { run: `${name}${text}`, seed: 0 }); // prettier-ignore
  for (const { name } of comparisons) await same('comparisons.get', { name });
});

describe('sparsity reports', () => {
  test('those of the model of the run, and what is measured of its training', async () => {
    expect(await same('sparsity.list')).toEqual([expect.objectContaining({ name: report })]);
    await same('sparsity.get', { name: report });
    await same('sparsity.compare', { names: [report, report] });
    for (const seed of [0, 1, 2]) await same('sparsity.neuronAlignment', { name: report, run, seed });
    // The server has the folders of all models.
    const curves = (await ask('sparsity.emergence')) as EmergenceCurve[];
    expect(curves.length).toBe(2);
    const own = curves.filter(({ model }) => model === 'fixture-relu');
    expect(await answer({ procedure: 'sparsity.emergence', input: undefined })).toEqual(own);
    await expect(answer({ procedure: 'sparsity.get', input: { name: 'fixture-gelu' } })).rejects.toThrow(
      'not part of',
    );
  });

  test('neurons of a layer, in every order and by how they fire', async () => {
    const totals = new Set<number>();
    for (const layer of [0, 1])
      for (const sort of sortsOf(sparsityNeuronTable))
        for (const order of ['asc', 'desc'])
          for (const firing of ['all', 'firing', 'dead']) {
            const asked = { name: report, layer, sort, order, firing };
            const { total } = (await same('sparsity.neurons', { ...asked, offset: 3, limit: 9 })) as { total: number }; // prettier-ignore
            totals.add(total);
            if (sort === 'frequency') await same('sparsity.neurons', { ...asked, limit: 500 });
          }
    expect(totals.size).toBeGreaterThan(2);
    await same('sparsity.neurons', { name: report, layer: 0 });
  });

  test.each([0, 1])(
    'every neuron of layer %i, with its examples and the latents that it is aligned with',
    async (layer) => {
      const { total } = (await ask('sparsity.neurons', { name: report, layer })) as { total: number };
      expect(site.neurons).toBe(2 * total);
      let [examples, features] = [0, 0];
      for (let neuron = 0; neuron < total; neuron++) {
        const found = (await same('sparsity.neuron', { name: report, layer, neuron })) as NeuronDetail;
        examples += found.examples.length;
        features += found.features.length;
      }
      expect(examples).toBeGreaterThan(total);
      // The latents of the fixture are aligned with neurons of the first layer.
      if (layer === 0) expect(features).toBeGreaterThan(20);
      await expect(
        answer({ procedure: 'sparsity.neuron', input: { name: report, layer, neuron: total } }),
      ).rejects.toThrow(`has no neuron ${total}`);
    },
  );
});

describe('labels', () => {
  test('of all dictionaries, in every order, and their filters', async () => {
    for (const sort of labelSorts)
      for (const order of ['asc', 'desc']) await same('labels.page', { sort, order, offset: 1, limit: 3 });
    for (const filter of [
      {}, { run }, { run, seed: 2 }, { source: 'data' }, { source: 'hand' }, { text: 'whale' }, { text: 'RULE 1' }, { text: 'ahab' },
      { list: 'by-joining' }, { list: 'by-joining', seed: 0 }, { list: 'by-joining', text: 'sea' }, { list: 'nautical', source: 'data' },
    ])
      await same('labels.page', filter); // prettier-ignore
    const { rows } = (await same('labels.page', { list: 'by-joining' })) as { rows: { latent: number }[] };
    expect(rows.map(({ latent }) => latent)).toEqual([7, 9, 3]);
    await expect(answer({ procedure: 'labels.page', input: { list: 'none' } })).rejects.toThrow(
      "no list 'none'",
    );
  });

  test('as files', async () => {
    for (const format of ['csv', 'json'])
      for (const filter of [{}, { source: 'data' }, { list: 'by-joining' }])
        await same('labels.export', { format, ...filter });
    const { text } = (await same('labels.export', { format: 'neuronpedia', run, seed: 0 })) as { text: string }; // prettier-ignore
    expect(text).toContain('the open sea');
    await expect(
      answer({ procedure: 'labels.export', input: { format: 'neuronpedia' } }),
    ).rejects.toMatchObject({
      code: 'bad_input',
    });
  });
});

test('search through examples, tokens and labels', async () => {
  let matched = 0;
  for (const text of ['the', 'call me', 'the whale', 'open sea', 'wh', '…', 'nothing like it'])
    for (const where of [{}, { run }, { run, seed: 1 }, { run, seed: 2 }, { offset: 2, limit: 3 }]) {
      const { rows, missing } = (await same('search.find', { text, ...where })) as SearchPage;
      matched += rows.filter(({ match }) => match !== null).length;
      if (!('seed' in where)) expect(missing).toEqual([{ run, seed: 2 }]);
    }
  expect(matched).toBeGreaterThan(20);
  await expect(
    answer({ procedure: 'search.find', input: { text: 'sea', run: 'fixture-relu' } }),
  ).rejects.toThrow("of a run 'fixture-relu'");
});

test('tables of which the site has every column are the CSV that the server gives', async () => {
  const [{ name: comparison }] = (await ask('comparisons.list')) as { name: string }[];
  const ofReport = (table: string, of: TableOf, path: string) => ({
    table: `sparsity-${table}`,
    of: { report, ...of },
    path: `csv/sparsity/${report}/${table}${path}`,
  });
  for (const { table, of, path } of [
    { table: 'matches', of: { comparison }, path: `csv/matches?comparison=${comparison}` },
    { table: 'shared-curve', of: { comparison }, path: `csv/shared-curve?comparison=${comparison}` },
    ...[3, 9].map((latent) => ({
      table: 'examples',
      of: { run, seed: 1, latent },
      path: `csv/examples?run=${run}&seed=1&latent=${latent}`,
    })),
    ofReport('neurons', { layer: 1 }, '?layer=1'),
    ofReport('neurons', { layer: 1, neuron: 5 }, '?layer=1&neuron=5'),
    ofReport('examples', { layer: 0, neuron: 5 }, '?layer=0&neuron=5'),
    ofReport('curves', {}, ''),
    ofReport('curves', { layer: 1 }, '?layer=1'),
    ofReport('layers', { layer: 0 }, '?layer=0'),
  ]) {
    const response = await fetch(`${own.server.url}/api/${path}`);
    const expected = await response.text();
    expect(expected.split('\r\n').length, path).toBeGreaterThan(2);
    // The fixture's examples are not in the order in which they are written of real dictionaries.
    const lines = (text: string | undefined) => (table === 'examples' ? text?.split('\r\n').sort() : text);
    expect(lines(await tableCsv(table, of)?.()), path).toEqual(lines(expected));
  }
  for (const table of ['features', 'loadings', 'sparsity-tokens', 'sparsity-examples'])
    expect(tableCsv(table, { run, seed: 0, report, layer: 0 }), table).toBeUndefined();
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

  test('of latents by words in examples, tokens and labels; without an index examples are not searched', async () => {
    for (const [seed, searched] of [
      [0, 'examples, tokens and labels'],
      [2, 'tokens and labels'],
    ] as const)
      for (const text of ['open', 'the', 'sea', 'call me', 'nothing like it'])
        expect(
          await same('features.list', { run, seed, sort: 'density', filter: { text }, limit: 500 }),
        ).toMatchObject({ searched });
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
  const names = (await readdir(site.out, { recursive: true })).filter(
    // The report of the model fixture-relu is published, the run of that name is not.
    (name) =>
      /relu|gelu/.test(name) &&
      !/^(answers.(reports|neurons|alignments)|data.sparsity).fixture-relu/.test(name),
  );
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
