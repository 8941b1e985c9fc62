import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadAutoencoder } from '../../autoencoders/autoencoder.ts';
import { writeDictionary } from '../../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../../fixtures/exampleConfig.ts';
import { capture } from '../../activations/capture.ts';
import { toyLanguageModel } from '../../fixtures/toyLanguageModel.ts';
import { Random } from '../../numerics/random.ts';
import { silent } from '../../progress.ts';
import { runKind, type RunManifest } from '../../spec/manifests/run.ts';
import { writeJsonAtomic } from '../../store/atomicWrite.ts';
import { StoreLayout } from '../../store/layout.ts';
import { readManifest } from '../../store/readManifest.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import { train } from '../../training/train.ts';
import { compare } from '../compare.ts';
import { unitRows } from '../directions.ts';
import { consensusStart, continuedStart, disjointGroups } from './consensusStart.ts';

const hook = 'blocks.0.hook_resid_post';
const [d, planted, noise] = [32, 24, 8];
const width = planted + noise;
const seeds = [3, 4, 5, 6, 7, 8];
const environment = { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 };
let store: StoreLayout;
const plant = unitRows(
  { rows: planted, d, data: Random.fromSeed(0, 'plant').normals(planted * d) },
  'a test',
);

/** The plant with noise, at places of its own, among latents that no other seed has. */
function seedRows(seed: number): Float32Array {
  const own = Random.fromSeed(seed, 'seed');
  const order = own.permutation(width);
  const data = new Float32Array(width * d);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < d; j++)
      data[order[i] * d + j] = i < planted ? plant.data[i * d + j] + 0.08 * own.normal() : own.normal();
  return unitRows({ rows: width, d, data }, 'a test').data;
}

/** Mean over the plant of the largest cosine with a row. */
function recovery(rows: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < planted; i++) {
    let best = -1;
    for (let k = 0; k < rows.length / d; k++) {
      let cosine = 0;
      for (let j = 0; j < d; j++) cosine += plant.data[i * d + j] * rows[k * d + j];
      best = Math.max(best, cosine);
    }
    sum += best;
  }
  return sum / planted;
}

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'consensus-')));
  const documents = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  const model = { ...toyLanguageModel(), width: () => d };
  // A residual stream made of few planted directions, which token says which.
  const read: Pick<ReturnType<typeof toyLanguageModel>, 'forward'> = {
    forward(tokens) {
      const ids = tokens.dataSync();
      const x = new Float32Array(ids.length * d);
      ids.forEach((id, row) => {
        for (let n = 0; n < 3; n++)
          for (let j = 0; j < d; j++)
            x[row * d + j] += plant.data[((id * 5 + n * 7 + row * n) % planted) * d + j];
      });
      const activations = new Map<typeof hook, Tensor>([[hook, tf.keep(tf.tensor(x, [...tokens.shape, d]))]]);
      return { activations, entropySums: [] };
    },
  };
  await capture({ store, name: 'planted', model: { ...model, ...read }, text, hooks: [hook], contextLength: 16, batchSize: 8 }); // prettier-ignore
  const run: RunManifest = {
    version: 1,
    name: 'seeds',
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config: { ...exampleConfig('topk'), k: 3, capture: 'planted', hook, width, seeds, tokens: 4096 },
    d,
    scale: 1,
    environment,
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest('seeds'), run);
  for (const seed of seeds) {
    const wDec = seedRows(seed);
    await writeDictionary(
      store.dictionary('seeds', seed),
      { wEnc: wDec, wDec, bEnc: new Float32Array(width), bDec: new Float32Array(d), threshold: null },
      { architecture: 'topk', hook, model: 'toy', run: 'seeds', seed, scale: 1, k: 3 },
    );
  }
  for (const [at, a] of seeds.entries())
    for (const b of seeds.slice(at + 1))
      await compare({
        store,
        name: `seeds-${a}-${b}`,
        a: { run: 'seeds', seed: a },
        b: { run: 'seeds', seed: b },
        maxTokens: 0,
        nulls: null,
      });
});
afterAll(() => rm(store.root, { recursive: true }));

const options = async (groups: readonly (readonly number[])[], minSupport = 2) => ({
  store,
  run: await readManifest(store.runManifest('seeds'), runKind),
  groups,
  minSupport,
  threshold: 0.7,
  report: silent,
  signal: undefined,
});

test('seeds are split into groups of neighbours', () => {
  expect(disjointGroups(seeds, 2)).toEqual([
    [3, 4, 5],
    [6, 7, 8],
  ]);
  expect(disjointGroups([1, 2, 3, 4, 5], 2)).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
});

test('a consensus of planted seeds is nearer to the plant than any seed, and to a consensus of other seeds than two seeds are', async () => {
  const start = await consensusStart(await options(disjointGroups(seeds, 2)));
  const [first, second] = start.pedigree.dictionaries;
  expect([first.parents, second.parents]).toEqual([
    [3, 4, 5],
    [6, 7, 8],
  ]);
  for (const { agreed, support } of [first, second]) {
    expect(agreed).toBe(planted);
    expect(support[2]).toBe(planted);
    expect(support.reduce((sum, n, at) => sum + n * (at + 1), 0)).toBe(3 * width);
  }
  const config = { ...(await options([])).run.config, seeds: [0, 1], tokens: 2048, learningRate: 1e-4 };
  const common = { store, config, environment };
  const made = await train({ ...common, name: 'consensus', start });
  expect(made).toMatchObject({ status: 'complete', consensus: start.pedigree, d });
  expect(await readManifest(store.runManifest('consensus'), runKind)).toEqual(made);

  const recovered = async (run: string, seed: number) => {
    const dictionary = await loadAutoencoder(store, run, seed);
    dictionary.dispose();
    return recovery(dictionary.wDec);
  };
  const ofSeeds = await Promise.all(seeds.map((seed) => recovered('seeds', seed)));
  for (const seed of [0, 1])
    expect(await recovered('consensus', seed)).toBeGreaterThan(Math.max(...ofSeeds) + 0.02);

  // The same further training of single seeds leaves them where they were.
  const control = await train({
    ...common,
    name: 'control',
    start: await continuedStart((await options([])).run, [3, 6], await options([])),
  });
  expect(control.consensus?.dictionaries.map(({ parents }) => parents)).toEqual([[3], [6]]);
  const between = (run: string) =>
    compare({ store, name: run, a: { run, seed: 0 }, b: { run, seed: 1 }, maxTokens: 0, nulls: null });
  const [ofConsensus, ofControl] = [await between('consensus'), await between('control')];
  expect(ofConsensus.mmcs).toBeGreaterThan(ofControl.mmcs + 0.02);
  expect(ofConsensus.shared).toBeGreaterThanOrEqual(planted / width - 1e-9);
}, 120_000);

test('a training that was killed before its first checkpoint goes on to the same bits', async () => {
  const start = await consensusStart(await options(disjointGroups(seeds, 2)));
  const config = { ...(await options([])).run.config, seeds: [0, 1], tokens: 2048, logEvery: 1 };
  const common = { config, environment };
  const killed = new StoreLayout(await mkdtemp(join(tmpdir(), 'consensus-killed-')));
  try {
    let copied = 0;
    const whole = await train({
      ...common,
      store,
      name: 'whole',
      start,
      // What is on the disk at the first step is what a process leaves that is killed then.
      report: () => {
        if (copied++ > 0) return;
        cpSync(store.run('whole'), killed.run('whole'), { recursive: true });
        cpSync(store.capture('planted'), killed.capture('planted'), { recursive: true });
      },
    });
    expect(await readManifest(killed.runManifest('whole'), runKind)).toMatchObject({
      status: 'training',
      step: 0,
    });
    expect(readdirSync(killed.runCheckpoints('whole'))).toEqual(['step-0.safetensors']);
    await rm(join(killed.run('whole'), '.lock'), { recursive: true, force: true });
    const resumed = await train({ ...common, store: killed, name: 'whole', resume: true });
    expect(resumed).toMatchObject({ status: 'complete', consensus: start.pedigree, step: whole.step });
    for (const seed of [0, 1])
      expect(readFileSync(killed.dictionary('whole', seed))).toEqual(
        readFileSync(store.dictionary('whole', seed)),
      );
    expect(readFileSync(killed.runMetrics('whole')).length).toBe(
      readFileSync(store.runMetrics('whole')).length,
    );
  } finally {
    await rm(killed.root, { recursive: true });
  }
}, 120_000);

test('groups without enough seeds, too little support and pairs not compared are refused, with what to do', async () => {
  await expect(consensusStart(await options([[3, 4, 5], [6]]))).rejects.toThrow(
    /in 2 groups leave one with 1,/,
  );
  await expect(consensusStart(await options([[3, 4]], 1))).rejects.toThrow(/two seeds or more.*1/);
  await rm(store.comparison('seeds-3-5'), { recursive: true });
  await expect(consensusStart(await options([[3, 4, 5]]))).rejects.toThrow(
    /lazyscope compare seeds\/3 seeds\/5/,
  );
});
