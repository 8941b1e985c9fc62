import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCapture } from '../../../activations/openCapture.ts';
import { writeDictionary } from '../../../autoencoders/dictionaryFile.ts';
import { capture } from '../../../activations/capture.ts';
import { exampleConfig } from '../../../fixtures/exampleConfig.ts';
import { toyLanguageModel, toy } from '../../../fixtures/toyLanguageModel.ts';
import { Random } from '../../../numerics/random.ts';
import type { RunManifest } from '../../../spec/manifests/run.ts';
import { writeJsonAtomic } from '../../../store/atomicWrite.ts';
import { StoreLayout } from '../../../store/layout.ts';
import { queryParquet } from '../../../store/parquet.ts';
import { tf } from '../../../tensor/tf.ts';
import { measureWorth } from './measureWorth.ts';

const hook = 'blocks.0.hook_resid_post';
const seeds = [2, 7];
const { d } = toy;
const latents = 24;
const options = { run: 'known', maxTokens: 120, lossTokens: 45, draws: 4, sample: 8 };
let store: StoreLayout;
const model = toyLanguageModel();

/** Dictionaries of seed: rows of any norm, so that a formula for unit rows would be noticed. */
const weights = (seed: number) => {
  const random = Random.fromSeed(seed, 'weights');
  const wDec = random.normals(latents * d, 0.3);
  return {
    wDec,
    wEnc: wDec.map((value) => value + 0.05 * random.normal()),
    // The last latent never fires.
    bEnc: Float32Array.from({ length: latents }, (_, i) =>
      i === latents - 1 ? -1e6 : 0.1 * random.normal(),
    ),
    bDec: random.normals(d, 0.5),
  };
};
const stability = new Map(
  seeds.map((seed) => {
    const random = Random.fromSeed(seed, 'stability');
    return [
      seed,
      {
        returns: Float64Array.from({ length: latents }, () => random.below(2)),
        nearness: Float64Array.from({ length: latents }, () => random.uniform()),
      },
    ];
  }),
);

beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'worth-')));
  const documents = Array.from({ length: 60 }, (_, i) =>
    Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
  );
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  await capture({
    store,
    name: 'toy',
    model,
    text,
    hooks: [hook],
    contextLength: 16,
    batchSize: 8,
    heldOutFraction: 0.3,
  });
  const run: RunManifest = {
    version: 1,
    name: 'known',
    createdAt: 'now',
    finishedAt: 'now',
    status: 'complete',
    config: { ...exampleConfig('relu'), capture: 'toy', hook, width: latents, seeds },
    d,
    scale: 1,
    environment: { lazyscope: '0', node: '0', platform: 'test', cpu: 'test', backend: 'cpu', threads: 1 },
    step: 1,
    totalSteps: 1,
    seconds: 1,
    tokensPerSecond: 1,
  };
  await writeJsonAtomic(store.runManifest('known'), run);
  for (const seed of seeds)
    await writeDictionary(
      store.dictionary('known', seed),
      { ...weights(seed), threshold: null },
      { architecture: 'relu', hook, model: 'toy', run: 'known', seed, scale: 1, k: null },
    );
});
afterAll(() => rm(store.root, { recursive: true }));

/** Everything in double precision, one token after the other, from the formulas alone. */
async function byHand() {
  const opened = await openCapture(store, 'toy');
  const { contextLength, firstPosition, contexts, heldOutContexts } = opened.manifest;
  const rows = opened.readRows(hook, opened.trainRows, options.maxTokens);
  const firstContext = contexts - heldOutContexts;
  const count = Math.ceil(options.lossTokens / contextLength);
  const tokens = opened.tokens.slice(firstContext * contextLength, (firstContext + count) * contextLength);
  opened.close();
  const unembedding = (j: number, v: number) => Math.sin(1 + v * (j + 1));
  const crossEntropy = (x: readonly number[], next: number) => {
    const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
      x.reduce((sum, value, j) => sum + value * unembedding(j, v), 0),
    );
    return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[next];
  };
  const residual = (token: number, position: number) =>
    Array.from({ length: d }, (_, j) => (token + j) / 4 + position / 8);
  const activations = (seed: number, x: readonly number[]) => {
    const { wEnc, bEnc, bDec } = weights(seed);
    return Array.from({ length: latents }, (_, i) =>
      Math.max(
        0,
        x.reduce((sum, value, j) => sum + wEnc[i * d + j] * (value - bDec[j]), bEnc[i]),
      ),
    );
  };
  return {
    fvu(seed: number, keeps: (latent: number) => boolean) {
      const { wDec, bDec } = weights(seed);
      const xs = Array.from({ length: options.maxTokens }, (_, t) => [...rows.subarray(t * d, (t + 1) * d)]);
      const mean = bDec.map((_, j) => xs.reduce((sum, x) => sum + x[j], 0) / xs.length);
      let [error, variance] = [0, 0];
      for (const x of xs) {
        const f = activations(seed, x);
        x.forEach((value, j) => {
          const xHat = f.reduce((sum, v, i) => sum + (keeps(i) ? v * wDec[i * d + j] : 0), bDec[j]);
          error += (value - xHat) ** 2;
          variance += (value - mean[j]) ** 2;
        });
      }
      return error / variance;
    },
    /** With the activations of latents multiplied by `scale`, the error of the reconstruction kept. */
    loss(seed: number, scale: (latent: number) => number) {
      const { wDec } = weights(seed);
      let [sum, predictions] = [0, 0];
      for (let c = 0; c < count; c++)
        for (let p = firstPosition; p + 1 < contextLength; p++, predictions++) {
          const at = c * contextLength + p;
          const x = residual(tokens[at], p);
          const f = activations(seed, x);
          const changed = x.map((value, j) =>
            f.reduce((total, v, i) => total - (1 - scale(i)) * v * wDec[i * d + j], value),
          );
          sum += crossEntropy(changed, tokens[at + 1]);
        }
      return sum / predictions;
    },
  };
}

test('groups, single latents and attributions are what the formulas give in double precision', async () => {
  const worth = await measureWorth({ store, ...options, model, stability });
  const known = await byHand();
  const mean = (of: (seed: number) => number) =>
    seeds.reduce((sum, seed) => sum + of(seed), 0) / seeds.length;
  expect(worth).toMatchObject({ tokens: options.maxTokens, draws: 4, coverage: 3 / 5 });
  expect(worth.whole.fvu).toBeCloseTo(
    mean((seed) => known.fvu(seed, () => true)),
    4,
  );
  expect(worth.whole.fvuWithout).toBeCloseTo(
    mean((seed) => known.fvu(seed, () => false)),
    4,
  );
  const clean = mean((seed) => known.loss(seed, () => 1));
  expect(worth.whole.crossEntropy).toBeCloseTo(clean, 4);
  expect(worth.whole.crossEntropyChange).toBeCloseTo(mean((seed) => known.loss(seed, () => 0)) - clean, 3);

  const tables = new Map<number, Record<string, unknown>[]>();
  for (const seed of seeds)
    tables.set(
      seed,
      await queryParquet('SELECT * FROM read_parquet($path) ORDER BY latent', {
        path: store.worthOfSeed('known', seed),
      }),
    );
  const groupOf = (seed: number, latent: number) => Number(tables.get(seed)![latent].group) - 1;
  expect(worth.groups).toHaveLength(10);
  worth.groups.forEach(({ ablated, kept }, g) => {
    const own = (seed: number, latent: number) => groupOf(seed, latent) === g;
    const whole = mean((seed) => known.fvu(seed, () => true));
    expect(ablated.fvu.change).toBeCloseTo(mean((seed) => known.fvu(seed, (i) => !own(seed, i))) - whole, 4);
    expect(kept.fvu.change).toBeCloseTo(mean((seed) => known.fvu(seed, (i) => own(seed, i))) - whole, 4);
    expect(ablated.crossEntropy.change).toBeCloseTo(
      mean((seed) => known.loss(seed, (i) => Number(!own(seed, i)))) - clean,
      3,
    );
    expect(kept.crossEntropy.change).toBeCloseTo(
      mean((seed) => known.loss(seed, (i) => Number(own(seed, i)))) - clean,
      3,
    );
    for (const figure of Object.values({ ...ablated, ...kept })) {
      expect(figure.least).toBeLessThanOrEqual(figure.control);
      expect(figure.most).toBeGreaterThanOrEqual(figure.control);
      expect(figure.interval![0]).toBeLessThanOrEqual(figure.change);
      expect(figure.interval![1]).toBeGreaterThanOrEqual(figure.change);
    }
  });

  const [estimated, measured]: number[][] = [[], []];
  for (const seed of seeds)
    for (const { latent, firings, attribution, ablation, fvuChange } of tables.get(seed)!) {
      const i = Number(latent);
      if (i === latents - 1) expect([firings, groupOf(seed, i)]).toEqual([0, -1]);
      if (firings === 0) continue;
      expect(fvuChange).toBeCloseTo(known.fvu(seed, (k) => k !== i) - known.fvu(seed, () => true), 4);
      const at = (scale: number) => known.loss(seed, (k) => (k === i ? scale : 1));
      // It need not fire on the fewer tokens of the losses.
      if (Number.isNaN(Number(attribution))) {
        expect(at(0)).toBe(at(1));
        continue;
      }
      // −∂loss/∂scale at 1.
      expect(Number(attribution)).toBeCloseTo((at(1 - 1e-4) - at(1 + 1e-4)) / 2e-4, 4);
      if (Number.isNaN(Number(ablation))) continue;
      expect(Number(ablation)).toBeCloseTo(at(0) - at(1), 3);
      estimated.push(Number(attribution));
      measured.push(Number(ablation));
    }
  expect(estimated).toHaveLength(8);
  expect(worth.attribution.latents).toBe(8);
  const correlation = worth.attribution.pearson!;
  const m = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = (values: number[]) => values.map((value) => value - m(values));
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const [x, y] = [centred(estimated), centred(measured)];
  expect(correlation).toBeCloseTo(dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)), 10);
});

test('leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  await measureWorth({ store, ...options, model, stability });
  expect(tf.memory().numTensors).toBe(before);
});

test('one context has no interval over contexts', async () => {
  const { groups } = await measureWorth({ store, ...options, model, stability, lossTokens: 10, sample: 1 });
  for (const { ablated } of groups) {
    expect(ablated.crossEntropy.interval).toBeNull();
    expect(ablated.divergence.interval).toBeNull();
    expect(ablated.fvu.interval).not.toBeNull();
  }
});

test('too few draws and an encoder are refused', async () => {
  await expect(measureWorth({ store, ...options, model, stability, draws: 2 })).rejects.toThrow(
    /at least 3.*2/,
  );
  const encoder = { ...model, config: { ...model.config, encoder: { head: true } } };
  await expect(
    measureWorth({ store, ...options, model: encoder as typeof model, stability }),
  ).rejects.toThrow(/encoder/);
});
