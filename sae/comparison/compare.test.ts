import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import { StoreLayout } from '../store/layout.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import { queryParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { compare } from './compare.ts';
import { sharedLink } from './sharedLinks.ts';
import { latentStability } from './stability.ts';

const latents = 24;
const residual = { hook: 'blocks.0.hook_resid_post', d: 4 };
const mlp = { hook: 'blocks.0.mlp.hook_post', d: 8 };
let store: StoreLayout;
let model: LanguageModel;

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'compare-')));
  model = toyLanguageModel();
  const documents = Array.from({ length: 60 }, (_, i) =>
    Array.from({ length: 30 }, (_, j) => String.fromCharCode(97 + ((i * 7 + j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  const hooks = [residual.hook, mlp.hook] as ['blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'];
  await capture({ store, name: 'toy', model, text, hooks, contextLength: 16, heldOutFraction: 0.3 });
});
afterAll(async () => {
  model.dispose();
  await rm(model.folder, { recursive: true });
  await rm(store.root, { recursive: true });
});

/** A run of one seed with the weights given; biases make about half of the latents fire on a token. */
async function makeRun(
  name: string,
  weights: { wEnc: Float32Array; wDec: Float32Array; bEnc: Float32Array },
  at = residual,
): Promise<void> {
  const config = { ...exampleConfig('relu'), capture: 'toy', hook: at.hook, width: weights.bEnc.length };
  const run: RunManifest = {
    version: 1,
    name,
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config,
    d: at.d,
    scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 },
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest(name), run);
  await writeDictionary(
    store.dictionary(name, 0),
    { ...weights, bDec: new Float32Array(at.d), threshold: null },
    { architecture: 'relu', hook: at.hook, model: 'toy', run: name, seed: 0, scale: 1, k: null },
  );
}

function randomWeights(seed: number, d: number, count = latents) {
  const random = Random.fromSeed(seed);
  return { wEnc: random.normals(count * d), wDec: random.normals(count * d), bEnc: random.normals(count) };
}

function permute(rows: Float32Array, p: Uint32Array): Float32Array {
  const d = rows.length / p.length;
  const out = new Float32Array(rows.length);
  p.forEach((to, i) => out.set(rows.subarray(i * d, (i + 1) * d), to * d));
  return out;
}

const reference = (run: string) => ({ run, seed: 0 });

test('a permuted copy: all shared, the permutation in the table, activations equal token for token', async () => {
  const a = randomWeights(1, 4);
  const p = Random.fromSeed(2).permutation(latents);
  await makeRun('first', a);
  await makeRun('second', { wEnc: permute(a.wEnc, p), wDec: permute(a.wDec, p), bEnc: permute(a.bEnc, p) });
  const tensors = tf.memory().numTensors;
  const manifest = await compare({ store, name: 'copy', a: reference('first'), b: reference('second') });
  expect(tf.memory().numTensors).toBe(tensors);
  expect(manifest).toMatchObject({ shared: 1, sharedDecoder: 1, sharedEncoder: 1, latents, threshold: 0.7 });
  expect(manifest.mmcs).toBeCloseTo(1, 6);
  expect(manifest.pwMcc).toBeCloseTo(1, 6);
  expect(manifest.gap).toBeLessThan(1e-9);
  expect(await readManifest(store.comparisonManifest('copy'), comparisonKind)).toEqual(manifest);

  const rows = await queryParquet('SELECT * FROM read_parquet($path) ORDER BY latent', {
    path: store.comparisonMatches('copy'),
  });
  expect(rows.map((row) => row.decoderMatch)).toEqual([...p]);
  expect(rows.map((row) => row.encoderMatch)).toEqual([...p]);
  const firing = rows.filter((row) => !Number.isNaN(row.firingJaccard));
  expect(firing.length).toBeGreaterThan(latents / 2);
  for (const { firingJaccard } of firing) expect(firingJaccard).toBe(1);
  const varying = rows.filter((row) => !Number.isNaN(row.activationCorrelation));
  expect(varying.length).toBeGreaterThan(latents / 2);
  for (const { activationCorrelation } of varying) expect(activationCorrelation).toBeCloseTo(1, 6);
  const curve = await queryParquet('SELECT * FROM read_parquet($path) ORDER BY threshold', {
    path: store.comparisonCurve('copy'),
  });
  expect(curve).toHaveLength(101);
  expect(curve[100]).toMatchObject({ threshold: 1, shared: 1, decoder: 1, encoder: 1, greedy: 1 });
});

test('every measure of a copy, of either side', async () => {
  const { measures } = await compare({ store, name: 'copy', a: reference('first'), b: reference('second') });
  const one = { matched: 1, greedy: 1, mmcs: expect.closeTo(1, 6), pwMcc: expect.closeTo(1, 6) };
  expect(measures).toEqual({
    decoder: { ...one, gap: expect.closeTo(0, 9) },
    encoder: { ...one, gap: expect.closeTo(0, 9) },
    agreement: 1,
    otherLatents: latents,
  });
});

describe('functional swap', () => {
  const swapped = async (b: string, threshold = 0.7) => {
    const pair = { name: `swap-${b}`, a: reference('first'), b: reference(b) };
    const { swap } = await compare({ store, ...pair, threshold, model });
    if (!swap) throw new Error('nothing was swapped');
    return swap;
  };

  test('a copy stands in without a trace; silencing what is shared leaves the bias alone', async () => {
    const { own, shared, matched, silenced, clean, tokens } = await swapped('second');
    expect(tokens).toBeGreaterThan(100);
    expect([own, shared, matched, silenced].map((variant) => variant.latents)).toEqual([
      0,
      latents,
      latents,
      latents,
    ]);
    for (const variant of [shared, matched]) {
      expect(variant.fvu).toBeCloseTo(own.fvu!, 4);
      expect(variant.crossEntropy).toBeCloseTo(own.crossEntropy, 5);
    }
    expect(clean).toBeGreaterThan(0);
    expect(silenced.fvu).not.toBeCloseTo(own.fvu!, 1);
  });

  test('strangers share nothing, so nothing changes; as stand-ins they do', async () => {
    await makeRun('stranger', randomWeights(99, 4));
    const { own, shared, matched, silenced } = await swapped('stranger', 1);
    expect(shared.latents).toBe(0);
    for (const variant of [shared, silenced]) expect(variant).toEqual(own);
    expect(matched.latents).toBe(latents);
    expect(matched.fvu).not.toBeCloseTo(own.fvu!, 1);
  });

  test('is refused between hook points', async () => {
    const options = { store, name: 'refused', a: reference('first'), b: reference('whole'), model };
    await makeRun('whole', randomWeights(5, 8), mlp);
    await expect(compare(options)).rejects.toThrow(/can't stand in/);
  });
});

test('weights alone: no token is looked at', async () => {
  await compare({ store, name: 'weights', a: reference('first'), b: reference('second'), maxTokens: 0 });
  const rows = await queryParquet('SELECT * FROM read_parquet($path)', {
    path: store.comparisonMatches('weights'),
  });
  for (const { firingJaccard, activationCorrelation } of rows)
    expect([firingJaccard, activationCorrelation]).toEqual([NaN, NaN]);
});

test('half a copy: half shared, and the stored tables give each latent its stability', async () => {
  const axes = (sign: (i: number) => number) =>
    Float32Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? sign(at / 9) : 0));
  const bEnc = new Float32Array(8);
  const whole = axes(() => 1);
  // The last four point the other way.
  const turned = axes((i) => (i < 4 ? 1 : -1));
  await makeRun('whole', { wEnc: whole, wDec: whole, bEnc }, mlp);
  await makeRun('half', { wEnc: turned, wDec: turned, bEnc }, mlp);
  const manifest = await compare({ store, name: 'half-copy', a: reference('whole'), b: reference('half') });
  expect(manifest).toMatchObject({ shared: 0.5, sharedDecoder: 0.5, sharedEncoder: 0.5, mmcs: 0.5 });
  const links = [await sharedLink(store, manifest)];
  const seeds = ['whole/0', 'half/0'].map((key) => ({ key, latents: 8 }));
  const [first, second] = latentStability(seeds, links);
  expect([...first.stability]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
  expect([...second.orphans]).toEqual([4, 5, 6, 7]);
});

test('the stability of each latent is stored with its dictionary, over the seeds of one configuration', async () => {
  const table = (run: string) =>
    queryParquet('SELECT * FROM read_parquet($path) ORDER BY latent', { path: store.stability(run, 0) });
  const row = (latent: number, sharedWith: number) => ({
    latent,
    sharedWith,
    compared: 1,
    stability: sharedWith,
  });
  for (const run of ['whole', 'half'])
    expect(await table(run)).toEqual([1, 1, 1, 1, 0, 0, 0, 0].map((shared, latent) => row(latent, shared)));
  // A run of another hook point is another configuration: comparing with it does not count.
  await makeRun('elsewhere', randomWeights(6, 4), { ...residual, hook: 'blocks.0.hook_resid_mid' });
  const pair = { a: reference('first'), b: reference('elsewhere') };
  await compare({ store, name: 'apart', ...pair, maxTokens: 0 });
  expect((await table('first'))[0].compared).toBeGreaterThan(0);
  expect(existsSync(store.stability('elsewhere', 0))).toBe(false);
});

test('a comparison of the same pair is made again; its name is refused to another pair', async () => {
  const again = { store, name: 'copy', a: reference('first'), b: reference('second') };
  expect((await compare({ ...again, threshold: 0.9 })).threshold).toBe(0.9);
  await expect(compare({ ...again, b: reference('first') })).rejects.toThrow(
    /'copy' is of 'first\/0' with 'second\/0'/,
  );
});

test('dictionaries that cannot be compared are refused before anything is written', async () => {
  await makeRun('wide', randomWeights(7, 4, 131_073));
  const from = (b: string, name = 'refused') =>
    compare({ store, name, a: reference('first'), b: reference(b) });
  await expect(from('wide')).rejects.toThrow(/'wide\/0' has 131073 latents/);
  await expect(from('whole')).rejects.toThrow(
    /'first\/0' reads activations of width 4 and 'whole\/0' of width 8/,
  );
  await expect(from('nowhere')).rejects.toMatchObject({ code: 'not_found' });
  await expect(from('second', '../escape')).rejects.toMatchObject({ code: 'bad_input' });
  await expect(
    compare({ store, name: 'refused', a: reference('first'), b: reference('second'), threshold: 70 }),
  ).rejects.toThrow(/between 0 and 1, but got 70/);
  expect(existsSync(store.comparison('refused'))).toBe(false);
});
