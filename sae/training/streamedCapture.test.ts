/** A capture on a web server that is larger than the cache of its store: what is made from it equals, to the byte, what is made from a folder. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { parseExclusionRule } from '../activations/exclusionRule.ts';
import { openCapture } from '../activations/openCapture.ts';
import { selectFetchedRows, selectRows } from '../activations/selectRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { activationSpectrum } from '../comparison/chance/activationSpectrum.ts';
import { fetchSpectra, SharedNulls } from '../comparison/chance/comparisonChance.ts';
import { compare } from '../comparison/compare.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { openDictionary } from '../evaluation/openDictionary.ts';
import { collectFirings } from '../features/collectFirings.ts';
import { serveFolder, type StaticServer } from '../fixtures/staticServer.ts';
import { toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { StoreLayout } from '../store/layout.ts';
import { mountRemote } from '../store/remote/bringIn.ts';
import { CachedStore } from '../store/remote/cachedStore.ts';
import { indexStore } from '../store/remote/storeFiles.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { train, type TrainOptions } from './train.ts';

const residual = 'blocks.0.hook_resid_post';
const neurons = 'blocks.0.mlp.hook_post';
const hooks = [residual, neurons] as const;
const environment = {
  lazyscope: '0', node: process.version, platform: 'test', cpu: 'test', backend: 'native', threads: 1,
}; // prettier-ignore
const model = toyLanguageModel();

let folder: string;
let local: StoreLayout;
let server: StaticServer;
let cache: CachedStore;
let remote: StoreLayout;
let unmount: () => void;
let shardBytes: number;
let tokenBytes: number;

beforeAll(async () => {
  await startBackend('native', { threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-streamed-'));
  local = new StoreLayout(join(folder, 'local'));
  const documents = Array.from({ length: 150 }, (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  const { hooks: written, tokens } = await capture({
    store: local,
    name: 'toy',
    model,
    text,
    hooks,
    contextLength: 16,
    heldOutFraction: 0.2,
    shardBytes: 4096,
    dtype: 'float16',
  });
  tokenBytes = tokens?.bytes ?? NaN;
  shardBytes = Math.max(...written.flatMap(({ shards }) => shards.map(({ bytes }) => bytes)));
  expect(written.every(({ shards }) => shards.length >= 8)).toBe(true);
  await indexStore({ store: local });
  server = await serveFolder(local.root);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** The tokens and so many shards fit the cache. */
async function openRemote(shards: number, caches: string) {
  cache = await CachedStore.open({
    url: server.url,
    caches: join(folder, caches),
    mostBytes: tokenBytes + shards * shardBytes,
  });
  remote = new StoreLayout(cache.root);
  unmount = mountRemote(cache);
}
let opened = 0;
beforeEach(async () => {
  await openRemote(5, `caches-${opened++}`);
  server.requests.length = 0;
});
afterEach(async () => {
  unmount();
  await cache.close();
});

function options(store: StoreLayout, name: string, changes: object = {}): TrainOptions {
  const config = defaultTrainingConfig('topk', {
    capture: 'toy',
    hook: neurons,
    d: 8,
    // More than two epochs, in batches that don't divide one.
    tokens: 7200,
    batchSize: 48,
    width: 24,
    seeds: [3, 5],
    k: 3,
    checkpointEvery: 40,
    logEvery: 7,
    rowOrder: 4,
    ...changes,
  });
  return { store, name, config, environment };
}

const fetched = (hook: string) =>
  server.requests
    .filter((one) => one.includes(`/${hook}/`))
    .map((one) => one.split('/').at(-1))
    // Several come at a time.
    .sort();
const shardsOf = (hook: string) => {
  const { hooks: known } = JSON.parse(readFileSync(local.captureManifest('toy'), 'utf8')) as {
    hooks: { hook: string; shards: { file: string }[] }[];
  };
  return known.find((one) => one.hook === hook)?.shards.map(({ file }) => file.split('/').at(-1)) ?? [];
};
const sameBytes = (path: (store: StoreLayout) => string) =>
  expect(readFileSync(path(remote)).equals(readFileSync(path(local)))).toBe(true);

describe('training', () => {
  const trainings: [string, object, string | undefined][] = [
    ['one hook point', {}, undefined],
    ['without rows of some norms and positions', {}, 'norm:1.2,position:3'],
    ['a transcoder', { outputHook: residual }, undefined],
    ['a crosscoder', { hook: `${neurons},${residual}`, d: 12 }, 'position:2'],
  ];
  test.each(trainings)('%s', async (what, changes, rule) => {
    const name = what.replaceAll(' ', '-');
    const exclude = rule === undefined ? {} : { exclude: parseExclusionRule(rule) };
    await train({ ...options(local, name, changes), ...exclude });
    // Two times some 700 rows, so that an epoch takes several passes over the shards.
    const few = { memoryBudget: 2 * 700 * 4 * 8 };
    const manifest = await train({ ...options(remote, name, changes), ...exclude, ...few });
    expect(manifest.status).toBe('complete');
    for (const seed of [3, 5]) sameBytes((store) => store.dictionary(name, seed));
    expect(cache.bytes).toBeLessThanOrEqual(tokenBytes + 5 * shardBytes);
    const passes = fetched(neurons).length / shardsOf(neurons).length;
    expect(passes).toBeGreaterThan(4);
  });

  test('a run that was stopped goes on to the same bits', async () => {
    await train(options(local, 'resumed'));
    const controller = new AbortController();
    const few = { memoryBudget: 2 * 700 * 4 * 8 };
    await expect(
      train({
        ...options(remote, 'resumed'),
        ...few,
        signal: controller.signal,
        report: ({ stage, done }) => {
          if (stage.startsWith('train') && done >= 70) controller.abort();
        },
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    await train({ ...options(remote, 'resumed'), ...few, resume: true });
    for (const seed of [3, 5]) sameBytes((store) => store.dictionary('resumed', seed));
  });

  test('rows that fit the memory are read once, in whatever cache', async () => {
    await train(options(local, 'once'));
    await train(options(remote, 'once'));
    for (const seed of [3, 5]) sameBytes((store) => store.dictionary('once', seed));
    expect(fetched(neurons)).toEqual(shardsOf(neurons));
    expect(fetched(residual)).toEqual([]);
  });
});

describe('what is made of a dictionary', () => {
  beforeAll(async () => {
    await train(options(local, 'made'));
    await indexStore({ store: local });
  });

  test('an evaluation reads the held-out shards alone, each once', async () => {
    const read = { run: 'made', seed: 3, model };
    const expected = await evaluate({ store: local, ...read });
    expect(await evaluate({ store: remote, ...read })).toEqual(expected);
    const own = fetched(neurons);
    const all = shardsOf(neurons);
    expect(own).toEqual(all.slice(all.length - own.length));
    expect(own.length).toBeLessThan(all.length / 3);
    expect(own.length).toBeGreaterThan(2);
  });

  test('an evaluation without rows of some norm reads all of them for the median, once', async () => {
    const read = { run: 'made', seed: 3, model, exclude: parseExclusionRule('norm:1.2') };
    const expected = await evaluate({ store: local, ...read });
    expect(expected.exclusion?.rows).toBeGreaterThan(0);
    expect(await evaluate({ store: remote, ...read })).toEqual(expected);
    expect(fetched(neurons)).toEqual(shardsOf(neurons));
  });

  test('firings, and the activations of two dictionaries side by side', async () => {
    const found = [];
    for (const store of [local, remote]) {
      const opened = await openDictionary(store, 'made', 3, model, undefined, 'as read');
      found.push(await collectFirings(opened));
      opened.dispose();
      const [a, b] = [3, 5].map((seed) => ({ run: 'made', seed }));
      await compare({ store, name: 'pair', a, b, maxTokens: 300, nulls: null });
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[0].values.length).toBeGreaterThan(300);
    sameBytes((store) => store.comparisonMatches('pair'));
  });

  test('the spectra of activations that chance is of', async () => {
    const rule = parseExclusionRule('position:2');
    const spectra = [];
    for (const store of [local, remote]) {
      const opened = await openCapture(store, 'toy', { fetch: 'as read' });
      const rows = await selectFetchedRows(opened, hooks, rule);
      const nulls = new SharedNulls();
      const activations = { rows, key: 'toy', hooks: [neurons, residual] as const };
      await fetchSpectra({ activations, nulls });
      expect(nulls.has(`toy ${neurons}`)).toBe(store === remote);
      spectra.push(
        [neurons, residual].map((hook) =>
          nulls.spectrum(`toy ${hook}`, () => activationSpectrum(rows, hook)),
        ),
      );
      opened.close();
    }
    expect(spectra[1]).toEqual(spectra[0]);
    expect(spectra[0][0]?.rows).toBeGreaterThan(1000);
  });
});

test('the next shards come while one is read, as many as there is room for', async () => {
  const capture = await openCapture(remote, 'toy', { hooks: [neurons], fetch: 'as read', memoryBudget: 0 });
  try {
    const rows = capture.trainRows + capture.heldOutRows;
    await capture.streaming?.ready(neurons, 0, 10, [10, rows]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Four ahead of the one that is read; a fifth shard would not fit beside them.
    expect(fetched(neurons)).toEqual(shardsOf(neurons).slice(0, 5));
    // What is read is there, and what isn't is refused, not taken for zeros.
    const plain = await openCapture(local, 'toy');
    expect(capture.readRows(neurons, 3, 5)).toEqual(plain.readRows(neurons, 3, 5));
    expect(() => capture.readRows(neurons, rows - 5, 5)).toThrow(/doesn't match its checksum/);
    // Without a next one nothing is fetched ahead.
    server.requests.length = 0;
    await capture.streaming?.ready(neurons, rows - 3, 3);
    expect(fetched(neurons)).toEqual(shardsOf(neurons).slice(-1));
    plain.close();
  } finally {
    capture.close();
  }
});

test('a shard that can’t be fetched fails the command that needs it, not the one before', async () => {
  const [first] = shardsOf(neurons);
  const broken = await serveFolder(local.root, {
    instead: (request, response) => {
      const isMissing = request.url?.includes(`/${neurons}/`) && !request.url.endsWith(first ?? '');
      if (isMissing) response.writeHead(404).end();
      return isMissing === true;
    },
  });
  const store = await CachedStore.open({ url: broken.url, caches: join(folder, 'broken'), mostBytes: 1e6 });
  const end = mountRemote(store);
  const opened = await openCapture(new StoreLayout(store.root), 'toy', {
    hooks: [neurons],
    fetch: 'as read',
    memoryBudget: 0,
  });
  try {
    await opened.streaming?.ready(neurons, 0, 10, [10, opened.trainRows]);
    expect(opened.readRows(neurons, 0, 1)).toHaveLength(8);
    await expect(opened.streaming?.ready(neurons, opened.trainRows - 10, 10)).rejects.toMatchObject({
      code: 'not_found',
    });
  } finally {
    opened.close();
    end();
    await store.close();
    await broken.close();
  }
});

test('rows selected from a capture that is fetched are those of one that isn’t', async () => {
  const rule = parseExclusionRule('norm:1.2,position:4');
  unmount();
  await cache.close();
  await openRemote(9, 'selected');
  const plain = await openCapture(local, 'toy');
  const streamed = await openCapture(remote, 'toy', { fetch: 'as read', memoryBudget: 0 });
  try {
    const [expected, found] = [
      selectRows(plain, hooks, rule),
      await selectFetchedRows(streamed, hooks, rule),
    ];
    expect(found.excluded).toEqual(expected.excluded);
    expect(found.excluded.length).toBeGreaterThan(100);
    const some = Uint32Array.from({ length: 40 }, (_, i) => (i * 37) % expected.trainRows);
    const [a, b] = [new Float32Array(40 * 8), new Float32Array(40 * 8)];
    expected.gatherRows(neurons, some, a);
    await found.streaming?.collect(neurons, some, b);
    expect(b).toEqual(a);
    await found.streaming?.ready(neurons, 50, 20, [70, 90]);
    expect(found.readRows(neurons, 50, 20)).toEqual(expected.readRows(neurons, 50, 20));
  } finally {
    plain.close();
    streamed.close();
  }
});
