import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { openCapture, type Capture } from '../activations/openCapture.ts';
import { toy, toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { storedDictionary } from '../fixtures/toyDictionaries.ts';
import { StoreLayout } from '../store/layout.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { queryParquet, type Row } from '../store/parquet.ts';
import { tf } from '../tensor/tf.ts';
import { collectFirings } from './collectFirings.ts';
import { indexFeatures } from './indexFeatures.ts';
import { neighbours } from './neighbours.ts';

const model = toyLanguageModel();
const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-features-')));
const documents = Array.from({ length: 400 }, (_, i) =>
  Array.from({ length: 23 }, (_, j) => String.fromCharCode(97 + ((i * i * 7 + j * j * 5 + i * j) % 26))).join(
    '',
  ),
);

/**
 * On embeddings (t + j)/4 of token t, by their first coordinate: latent 0 is ReLU(t − 20), so it fires on u to z with
 * 1 to 6; latent 1 is ReLU(2 − t), on the separator with 2 and on a with 1; latent 2 is dead; latent 3 fires always.
 */
const dictionary = storedDictionary(4, {
  wEnc: [[4, 0, 0, 0], [-4, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
  bEnc: [-20, 2, -1000, 0.5],
  wDec: [[3, 4, 0, 0], [-3, -4, 0, 0], [0, 0, 2, 0], [6, 8, 1, 0]],
}); // prettier-ignore
const reference = [(t: number) => t - 20, (t: number) => 2 - t, () => -1, () => 0.5];
const hook = 'hook_embed';
let opened: Capture;
let features: Row[];
let examples: Row[];
/** Activation of a latent on each held-out row. */
let activations: Float32Array[];
const tokenOf = (row: number) => {
  const { context, position } = opened.rowToken(opened.trainRows + row);
  return opened.tokens[context * 16 + position];
};

beforeAll(async () => {
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  await capture({ store, name: 'toy', model, text, hooks: [hook], contextLength: 16, heldOutFraction: 0.3 });
  opened = await openCapture(store, 'toy');
  const { wEnc, bEnc, wDec, bDec, metadata } = dictionary;
  const trained = { wEnc, bEnc, wDec, bDec, threshold: null };
  await writeDictionary(store.dictionary('known', 0), trained, { ...metadata, hook, run: 'known' });
  const manifest: RunManifest = {
    version: 1, name: 'known', createdAt: '', finishedAt: '', status: 'complete',
    config: {
      architecture: 'relu', capture: 'toy', hook, width: 4, seeds: [0], batchSize: 8, tokens: 8, learningRate: 1,
      warmupSteps: 0, decayFraction: 0, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, clipNorm: null, deadAfter: 1,
      checkpointEvery: 1, logEvery: 1, sparsityCoefficient: 1, sparsityWarmupFraction: 0, targetL0: null,
    },
    d: 4, scale: 1, step: 1, totalSteps: 1, seconds: 1, tokensPerSecond: 1,
    environment: { lazyscope: '', node: '', platform: '', cpu: '', backend: '', threads: 1 },
  }; // prettier-ignore
  await writeFile(store.runManifest('known'), JSON.stringify(manifest));
  const before = tf.memory().numTensors;
  expect(await indexFeatures({ store, run: 'known', seed: 0, model })).toEqual({
    features: 4,
    tokens: opened.heldOutRows,
  });
  expect(tf.memory().numTensors, 'no tensor is left behind').toBe(before);
  features = await queryParquet('SELECT * FROM read_parquet($path)', { path: store.features('known', 0) });
  examples = await queryParquet('SELECT * FROM read_parquet($path)', { path: store.examples('known', 0) });
  activations = reference.map((f) =>
    Float32Array.from({ length: opened.heldOutRows }, (_, row) => Math.max(0, f(tokenOf(row)))),
  );
});

test('density, firings, maximum, mean and histogram are those of the known activations', () => {
  expect(features.map(({ latent }) => latent)).toEqual([0, 1, 2, 3]);
  features.forEach((feature, latent) => {
    const fired = activations[latent].filter((value) => value > 0);
    const max = fired.reduce((a, b) => Math.max(a, b), 0);
    const bins = Array.from({ length: 32 }, () => 0);
    for (const value of fired) bins[Math.ceil((value / max) * 32) - 1]++;
    expect(feature).toMatchObject({
      firings: fired.length,
      density: fired.length / opened.heldOutRows,
      dead: fired.length === 0,
      maxActivation: max,
      histogram: bins,
    });
    const mean = fired.reduce((a, b) => a + b, 0) / Math.max(1, fired.length);
    expect(feature.meanActivation).toBeCloseTo(mean, 9);
  });
  expect(features.map(({ dead }) => dead)).toEqual([false, false, true, false]);
});

test('weights: norm, bias and the cosine of encoder and decoder', () => {
  expect(features.map(({ decoderNorm }) => decoderNorm)).toEqual([5, 5, 2, Math.sqrt(101)]);
  expect(features.map(({ biasEncoder }) => biasEncoder)).toEqual([-20, 2, -1000, 0.5]);
  expect(features.map(({ encoderDecoderCosine }) => encoderDecoderCosine)).toEqual([0.6, 0.6, 0, 0]);
});

test('neighbours come nearest first, without the latent itself', () => {
  expect(features[0].neighbours).toEqual([3, 2, 1]);
  const cosines = features[0].neighbourCosines as number[];
  [10 / Math.sqrt(101), 0, -1].forEach((cosine, i) => expect(cosines[i]).toBeCloseTo(cosine, 6));
});

test('promoted and suppressed tokens are the ends of decoder row times unembedding', () => {
  const effect = (v: number) => 3 * Math.sin(1 + v) + 4 * Math.sin(1 + 2 * v);
  const order = Array.from({ length: toy.vocabulary }, (_, v) => v).sort((a, b) => effect(b) - effect(a));
  const [feature, opposite] = features;
  expect(feature.promotedTokens).toEqual(order.slice(0, 10));
  expect(feature.suppressedTokens).toEqual(order.slice(-10).reverse());
  expect((feature.promotedLogits as number[])[0]).toBeCloseTo(effect(order[0]), 5);
  expect((feature.suppressedLogits as number[])[0]).toBeCloseTo(effect(order[26]), 5);
  expect(opposite.promotedTokens).toEqual(feature.suppressedTokens);
});

test('top tokens are those it fires on most often', () => {
  const counts = new Map<number, number>();
  for (let row = 0; row < opened.heldOutRows; row++)
    if (activations[0][row] > 0) counts.set(tokenOf(row), (counts.get(tokenOf(row)) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  expect(features[0].topTokens).toEqual(sorted.map(([token]) => token));
  expect(features[0].topTokenCounts).toEqual(sorted.map(([, count]) => count));
  expect(features[2].topTokens).toEqual([]);
});

const of = (latent: number, band?: string) =>
  examples.filter((row) => row.latent === latent && (band === undefined || row.band === band));

test('each example shows its text around the peak, with the activation of every token', () => {
  expect(examples.length).toBeGreaterThan(60);
  for (const row of examples) {
    const [context, start, position] = [Number(row.context), Number(row.start), Number(row.position)];
    expect(start).toBe(Math.max(0, position - 16));
    const tokens = [...opened.tokens.subarray(context * 16 + start, (context + 1) * 16)];
    expect(row.tokens).toEqual(tokens);
    const f = reference[Number(row.latent)];
    // The first position was not captured and shows 0.
    const shown = tokens.map((token, i) => (start + i === 0 ? 0 : Math.max(0, f(token))));
    expect(row.activations).toEqual(shown);
    expect(row.activation).toBe(shown[position - start]);
    expect(row.activation).toBe(Math.max(...shown));
  }
});

test('top examples are the strongest contexts, one each', () => {
  const top = of(0, 'top');
  const contextMax = new Map<number, number>();
  activations[0].forEach((value, row) => {
    const { context } = opened.rowToken(opened.trainRows + row);
    contextMax.set(context, Math.max(contextMax.get(context) ?? 0, value));
  });
  const best = [...contextMax.values()].sort((a, b) => b - a).slice(0, 20);
  expect(top.map(({ activation }) => activation)).toEqual(best);
  expect(top.map(({ rank }) => rank)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(new Set(top.map(({ context }) => context)).size).toBe(20);
  expect(of(2)).toEqual([]);
});

test('each band holds a sample of contexts whose peak lies in its fifth of the range', () => {
  for (let band = 0; band < 5; band++) {
    const rows = of(0, `quantile-${band}`);
    expect(rows.length).toBeLessThanOrEqual(5);
    for (const { activation } of rows) {
      expect(Number(activation)).toBeGreaterThan((band * 6) / 5);
      expect(Number(activation)).toBeLessThanOrEqual(((band + 1) * 6) / 5);
    }
  }
  expect(of(0, 'quantile-4')).toHaveLength(5);
});

test('indexing again gives the same rows', async () => {
  await indexFeatures({ store, run: 'known', seed: 0, model });
  expect(
    await queryParquet('SELECT * FROM read_parquet($path)', { path: store.examples('known', 0) }),
  ).toEqual(examples);
  expect(
    await queryParquet('SELECT * FROM read_parquet($path)', { path: store.features('known', 0) }),
  ).toEqual(features);
});

test('when memory does not hold all firings, whole contexts are covered and their number is returned', async () => {
  const autoencoder = autoencoderFrom(dictionary);
  const all = await collectFirings({ capture: opened, hook, autoencoder });
  const some = await collectFirings({ capture: opened, hook, autoencoder, maxFirings: 1000 });
  expect(some.tokens % 15).toBe(0);
  expect(some.rows.length).toBeLessThanOrEqual(1000);
  expect(some.rows.length).toBeGreaterThan(900);
  const upTo = (latent: number) =>
    all.rows.slice(all.start[latent], all.start[latent + 1]).filter((row) => row < some.tokens);
  for (const latent of [0, 1, 2, 3])
    expect(some.rows.slice(some.start[latent], some.start[latent + 1])).toEqual(upTo(latent));
  await expect(collectFirings({ capture: opened, hook, autoencoder, maxFirings: 3 })).rejects.toThrow(
    /train a sparser one/,
  );
});

test('neighbours in blocks equal all pairs by hand', async () => {
  const [latents, d] = [50, 6];
  const wDec = Float32Array.from({ length: latents * d }, (_, i) => Math.sin(i * i + 1));
  const found = await neighbours({ wDec, latents, count: 8 });
  const row = (i: number) => wDec.subarray(i * d, (i + 1) * d);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, j) => sum + value * b[j], 0);
  for (let i = 0; i < latents; i++) {
    const cosines = Array.from(
      { length: latents },
      (_, j) => dot(row(i), row(j)) / Math.sqrt(dot(row(i), row(i)) * dot(row(j), row(j))),
    );
    const order = cosines
      .map((_, j) => j)
      .filter((j) => j !== i)
      .sort((a, b) => cosines[b] - cosines[a]);
    const { values, offsets } = found.neighbours;
    expect(Array.from(values).slice(offsets[i], offsets[i + 1])).toEqual(order.slice(0, 8));
  }
  expect(
    Array.from((await neighbours({ wDec: wDec.subarray(0, d), latents: 1, count: 8 })).neighbours.offsets),
  ).toEqual([0, 0]);
});
