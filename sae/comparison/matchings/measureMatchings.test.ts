import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capture } from '../../activations/capture.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { loadAutoencoder } from '../../autoencoders/autoencoder.ts';
import { writeDictionary } from '../../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../../fixtures/exampleConfig.ts';
import { toy, toyLanguageModel } from '../../fixtures/toyLanguageModel.ts';
import { Random } from '../../numerics/random.ts';
import type { RunManifest } from '../../spec/manifests/run.ts';
import { writeJsonAtomic } from '../../store/atomicWrite.ts';
import { StoreLayout } from '../../store/layout.ts';
import { queryParquet } from '../../store/parquet.ts';
import { tf } from '../../tensor/tf.ts';
import { compare } from '../compare.ts';
import { storedComparisons } from '../storedCounterparts.ts';
import { functionalTest } from './functionalTests.ts';
import { measureMatchings, type MatchingsOptions } from './measureMatchings.ts';

const hook = 'blocks.0.hook_resid_post';
const { d } = toy;
const latents = 12;
const seeds = [1, 4, 6];
const model = toyLanguageModel();
let store: StoreLayout;

/** Latents whose decoder rows lie near their encoder rows, so that most are missed when they are taken out; rows of any norm. */
function weights(stream: string) {
  const random = Random.fromSeed(3, stream);
  const wEnc = random.normals(latents * d);
  return {
    wEnc,
    wDec: wEnc.map((value) => 0.06 * value + 0.01 * random.normal()),
    bEnc: random.normals(latents),
  };
}
type Weights = ReturnType<typeof weights>;

function permuted(from: Weights, seed: number): Weights {
  const order = Random.fromSeed(seed, 'order').permutation(latents);
  const move = (rows: Float32Array, width: number) => {
    const out = new Float32Array(rows.length);
    order.forEach((to, i) => out.set(rows.subarray(i * width, (i + 1) * width), to * width));
    return out;
  };
  return { wDec: move(from.wDec, d), wEnc: move(from.wEnc, d), bEnc: move(from.bEnc, 1) };
}

async function writeRun(name: string, of: (seed: number) => Weights, own = seeds): Promise<void> {
  const run: RunManifest = {
    version: 1,
    name,
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config: { ...exampleConfig('relu'), capture: 'toy', hook, width: latents, seeds: own },
    d,
    scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 },
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest(name), run);
  for (const seed of own)
    await writeDictionary(
      store.dictionary(name, seed),
      { ...of(seed), bDec: Float32Array.of(0.3, -0.2, 0.1, 0.4), threshold: null },
      { architecture: 'relu', hook, model: 'toy', run: name, seed, scale: 1, k: null },
    );
}

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'matchings-')));
  const documents = Array.from({ length: 60 }, (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  await capture({ store, name: 'toy', model, text, hooks: [hook], contextLength: 16, heldOutFraction: 0.3 });
  const planted = weights('planted');
  await writeRun('same', (seed) => permuted(planted, seed));
  await writeRun('unlike', (seed) => weights(`seed ${seed}`));
  await writeRun('single', () => planted, [0]);
  for (const run of ['same', 'unlike'])
    for (const [at, a] of seeds.entries())
      for (const b of seeds.slice(at + 1))
        await compare({
          store,
          name: `${run}-${a}-${b}`,
          a: { run, seed: a },
          b: { run, seed: b },
          nulls: null,
        });
});
afterAll(async () => {
  model.dispose();
  await rm(model.folder, { recursive: true });
  await rm(store.root, { recursive: true });
});

const measured = async (run: string, more: Partial<MatchingsOptions> = {}) =>
  measureMatchings({
    store,
    run,
    model,
    comparisons: await storedComparisons(store),
    maxTokens: 200,
    sample: 9,
    contexts: 3,
    epsilon: 0.01,
    rho: 0.5,
    threshold: 0.9,
    ...more,
  });

const byDecoder = new Set<string>(['greedy', 'mutual', 'assignment', 'agreement', 'transport']);

test('of permuted copies every way to pair features recovers everything, and beats what is not the counterpart', async () => {
  const found = await measured('same');
  const { methods, judged, negatives, flows, predictions } = found;
  expect(judged).toBeGreaterThan(4);
  expect(predictions!.latents).toBeGreaterThan(9);
  for (const { method, coverage, reconstruction, predictions: own } of methods) {
    expect([method, coverage]).toEqual([method, 1]);
    for (const { area, recovered } of [reconstruction, own!]) {
      // The toy's activations vary in two directions, so that several latents go up and down together and overlap in full.
      if (!byDecoder.has(method)) {
        expect(area.value, method).toBeGreaterThan(0.6);
        continue;
      }
      expect(area.value, method).toBeCloseTo(1, 3);
      expect(recovered, method).toBeCloseTo(1, 3);
      // The bootstrap has nothing to vary.
      expect(area.interval![1] - area.interval![0]).toBeLessThan(1e-3);
    }
    if (!byDecoder.has(method)) continue;
    expect(own!.fingerprint!.value).toBeCloseTo(1, 4);
    expect(own!.beatsSecondBest!).toBeGreaterThan(0.9);
    expect(own!.beatsLikeActivity!).toBeGreaterThan(0.9);
    expect(reconstruction.curve).toHaveLength(41);
  }
  for (const { reconstruction, predictions: own } of negatives) {
    expect(reconstruction!).toBeLessThan(0.9);
    expect(own!).toBeLessThan(0.9);
  }
  expect(flows).toHaveLength(1);
  // Three pairs of seeds, both ways.
  expect(Object.values(flows[0].kinds).reduce((sum, n) => sum + n, 0)).toBe(6 * latents);
  expect(flows[0].kinds.same).toBeGreaterThan(4 * latents);
  const rows = await queryParquet('SELECT * FROM read_parquet($path) WHERE latent = 0 ORDER BY sent DESC', {
    path: store.flows('same', 1),
  });
  expect(new Set(rows.map(({ run, seed }) => `${String(run)}/${String(seed)}`))).toEqual(
    new Set(['same/4', 'same/6']),
  );
});

test('of unrelated dictionaries little is recovered, and the intervals hold the means', async () => {
  const { methods } = await measured('unlike');
  for (const { reconstruction } of methods) {
    expect(reconstruction.recovered).toBeLessThan(0.9);
    const [low, high] = reconstruction.area.interval!;
    expect(low).toBeLessThanOrEqual(reconstruction.area.value);
    expect(high).toBeGreaterThanOrEqual(reconstruction.area.value);
  }
  const own = methods.find(({ method }) => method === 'assignment')!;
  expect(own.reconstruction.beyondAssignment).toEqual({ value: 0, interval: [0, 0] });
});

test('features are followed to another run; without the model the reconstruction alone is judged', async () => {
  for (const a of seeds)
    for (const b of seeds)
      await compare({
        store,
        name: `same-${a}-unlike-${b}`,
        a: { run: 'same', seed: a },
        b: { run: 'unlike', seed: b },
        nulls: null,
      });
  const { flows, predictions, methods, against } = await measured('same', { against: 'unlike', model: null });
  expect(predictions).toBeNull();
  for (const { predictions: own } of methods) expect(own).toBeNull();
  expect(against).toBe('unlike');
  expect(flows.map(({ to }) => to)).toEqual(['same', 'unlike']);
  expect(Object.values(flows[1].kinds).reduce((sum, n) => sum + n, 0)).toBe(9 * latents);
  expect(flows[1].kinds.same).toBeLessThan(flows[0].kinds.same! / 2);
});

test('what cannot be judged is refused', async () => {
  await expect(measured('single')).rejects.toThrow(/one seed only/);
  await expect(measured('same', { comparisons: [] })).rejects.toThrow(/have not been compared/);
  await expect(measured('same', { against: 'same' })).rejects.toThrow(/the run itself/);
  await expect(measured('same', { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'cancelled',
  });
});

describe('what a latent and its stand-in do to the predictions', () => {
  /** Everything in double precision from the formulas alone: logits are x·W_U with W_U[j, v] = sin(1 + v(j + 1)). */
  test('is what the formulas give, token by token', async () => {
    const [a, b] = [await loadAutoencoder(store, 'unlike', 1), await loadAutoencoder(store, 'unlike', 4)];
    const opened = await openCapture(store, 'toy');
    const { contextLength, firstPosition, contexts, heldOutContexts } = opened.manifest;
    const first = contexts - heldOutContexts;
    const count = 3;
    const tokens = opened.tokens.slice(first * contextLength, (first + count) * contextLength);
    const perContext = contextLength - firstPosition;
    const rows = opened.readRows(hook, opened.trainRows, count * perContext);
    opened.close();
    const part = ({ wEnc, wDec, bEnc, bDec }: typeof a, i: number, x: readonly number[]) => {
      const pre = x.reduce((sum, value, k) => sum + (value - bDec[k]) * wEnc[i * d + k], bEnc[i]);
      return x.map((_, k) => Math.max(0, pre) * wDec[i * d + k]);
    };
    const logP = (x: readonly number[]) => {
      const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
        x.reduce((sum, value, j) => sum + value * Math.sin(1 + v * (j + 1)), 0),
      );
      const most = Math.max(...logits);
      const log = most + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0));
      return logits.map((value) => value - log);
    };
    const strongest = (dictionary: typeof a) => {
      const sizes = Array.from({ length: latents }, (_, i) =>
        Array.from({ length: count * perContext }, (__, row) =>
          Math.hypot(...part(dictionary, i, [...rows.subarray(row * d, (row + 1) * d)])),
        ).reduce((sum, size) => sum + size, 0),
      );
      return sizes.indexOf(Math.max(...sizes));
    };
    const [latent, other] = [strongest(a), strongest(b)];
    const another = (other + 1) % latents;
    const sums = { ablated: 0, replaced: 0, ablatedLoss: 0, replacedLoss: 0 };
    let [product, squaresA, squaresB] = [0, 0, 0];
    for (let context = 0; context < count; context++)
      for (let position = firstPosition; position + 1 < contextLength; position++) {
        const row = context * perContext + position - firstPosition;
        const x = [...rows.subarray(row * d, (row + 1) * d)];
        const [own, standIn] = [part(a, latent, x), part(b, other, x)];
        const clean = logP(x);
        const without = logP(x.map((value, k) => value - own[k]));
        const withoutOther = logP(x.map((value, k) => value - standIn[k]));
        const replaced = logP(x.map((value, k) => value - own[k] + standIn[k]));
        const divergence = (q: readonly number[]) =>
          clean.reduce((sum, p, v) => sum + Math.exp(p) * (p - q[v]), 0);
        const next = tokens[context * contextLength + position + 1];
        sums.ablated += divergence(without);
        sums.replaced += divergence(replaced);
        sums.ablatedLoss += clean[next] - without[next];
        sums.replacedLoss += clean[next] - replaced[next];
        const likeliest = [...clean.keys()].sort((v, w) => clean[w] - clean[v]).slice(0, 16);
        for (const v of likeliest) {
          const [changeA, changeB] = [without[v] - clean[v], withoutOther[v] - clean[v]];
          product += changeA * changeB;
          squaresA += changeA * changeA;
          squaresB += changeB * changeB;
        }
      }
    const predicted = count * (contextLength - 1 - firstPosition);
    const found = await functionalTest(a, b, {
      latent,
      others: [other, another],
      place: { model, hook, tokens, contextLength, firstPosition },
    });
    const own = found.others.get(other)!;
    expect(sums.ablated / predicted).toBeGreaterThan(1e-3);
    expect(found.ablated.divergence).toBeCloseTo(sums.ablated / predicted, 4);
    expect(found.ablated.crossEntropy).toBeCloseTo(sums.ablatedLoss / predicted, 4);
    expect(own.divergence).toBeCloseTo(sums.replaced / predicted, 4);
    expect(own.crossEntropy).toBeCloseTo(sums.replacedLoss / predicted, 4);
    expect(own.fingerprint).toBeCloseTo(product / Math.sqrt(squaresA * squaresB), 3);
    expect(found.others.has(another)).toBe(true);
  });
});
