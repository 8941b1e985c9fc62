import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { openCapture, type Capture } from '../activations/openCapture.ts';
import { toy, toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { autoencoderFrom } from '../autoencoders/autoencoder.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { StoreLayout } from '../store/layout.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { readManifest } from '../store/readManifest.ts';
import { evaluationKind } from '../spec/manifests/evaluation.ts';
import { tf } from '../tensor/tf.ts';
import { evaluate, score } from './evaluate.ts';
import { constant, identity, storedDictionary, toyHook } from '../fixtures/toyDictionaries.ts';

const model = toyLanguageModel();
const store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-evaluation-')));
const documents = Array.from({ length: 60 }, (_, i) =>
  Array.from({ length: 23 }, (_, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
);
let opened: Capture;
/** The held-out rows, computed from the tokens by the toy model's formula. */
let rows: number[][];

beforeAll(async () => {
  const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
  await capture({
    store,
    name: 'toy',
    model,
    text,
    hooks: [toyHook],
    contextLength: 16,
    heldOutFraction: 0.4,
  });
  opened = await openCapture(store, 'toy');
  rows = Array.from({ length: opened.heldOutRows }, (_, i) => {
    const { context, position } = opened.rowToken(opened.trainRows + i);
    return activation(opened.tokens[context * 16 + position], position);
  });
});

const activation = (token: number, position: number) =>
  Array.from({ length: toy.d }, (_, j) => (token + j) / 4 + position / 8);
const meanOf = (vectors: number[][]) =>
  vectors[0].map((_, j) => vectors.reduce((sum, v) => sum + v[j], 0) / vectors.length);
const squares = (a: number[], b: ArrayLike<number>) =>
  a.reduce((sum, value, j) => sum + (value - b[j]) ** 2, 0);
const scoreOf = (autoencoder: Parameters<typeof score>[0]['autoencoder'], more = {}) =>
  score({ capture: opened, hook: toyHook, autoencoder, model, ...more });

test('the identity has explained variance 1, recovers all of the loss and diverges by nothing', async () => {
  const scores = await scoreOf(autoencoderFrom(identity(toy.d)));
  expect(scores.tokens).toBe(rows.length);
  expect(scores.explainedVariance).toBe(1);
  expect(scores.mse).toBe(0);
  expect(scores.cosine).toBeCloseTo(1, 12);
  expect(scores.reconstructionBias).toBe(1);
  expect(scores.ceRecovered).toBeCloseTo(1, 6);
  expect(scores.ceRecoveredMean).toBeCloseTo(1, 6);
  expect(scores.klDivergence).toBeCloseTo(0, 6);
  // The toy's residual stream is positive, so of the two latents of a coordinate the negative one is dead.
  expect(scores.l0).toBe(toy.d);
  expect(scores.deadFraction).toBe(0.5);
  expect(scores.densityHistogram.counts.at(-1)).toBe(toy.d);
});

test('the mean predictor has explained variance 0 and loses as mean ablation does', async () => {
  const scores = await scoreOf(constant(meanOf(rows)));
  expect(scores.explainedVariance).toBeCloseTo(0, 6);
  expect(scores.crossEntropy!.sae).toBeCloseTo(scores.crossEntropy!.mean, 5);
  expect(scores.ceRecoveredMean).toBeCloseTo(0, 4);
  expect(scores).toMatchObject({ l0: 0, deadFraction: 1 });
  expect(scores.densityHistogram.counts.reduce((a, b) => a + b)).toBe(0);
});

test('zero recovers none of the loss, which without a residual stream is that of a uniform guess', async () => {
  const scores = await scoreOf(constant([0, 0, 0, 0]));
  expect(scores.ceRecovered).toBeCloseTo(0, 6);
  expect(scores.crossEntropy!.zero).toBeCloseTo(Math.log(toy.vocabulary), 5);
  expect(scores.crossEntropy!.sae).toBeCloseTo(scores.crossEntropy!.zero, 6);
});

test('a reconstruction shrunk by half has γ = ½, cosine 1 and the error that follows', async () => {
  const scores = await scoreOf(autoencoderFrom(identity(toy.d, 0.5)));
  expect(scores.reconstructionBias).toBeCloseTo(0.5, 6);
  expect(scores.cosine).toBeCloseTo(1, 6);
  const mean = meanOf(rows);
  const variance = rows.reduce((sum, row) => sum + squares(row, mean), 0);
  const error = rows.reduce(
    (sum, row) =>
      sum +
      squares(
        row,
        row.map((value) => value / 2),
      ),
    0,
  );
  expect(scores.fvu).toBeCloseTo(error / variance, 5);
  expect(scores.mse).toBeCloseTo(error / rows.length, 3);
});

test('losses and divergence agree with a calculation by hand', async () => {
  const centre = [3, 3, 3, 3];
  const scores = await scoreOf(constant(centre), { lossTokens: 48 });
  const logProbabilities = (residual: number[]) => {
    const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
      residual.reduce((sum, r, j) => sum + r * Math.sin(1 + v * (j + 1)), 0),
    );
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return logits.map((logit) => logit - total);
  };
  let [clean, spliced, divergence, count] = [0, 0, 0, 0];
  const first = opened.manifest.contexts - opened.manifest.heldOutContexts;
  for (let context = first; context < first + 3; context++)
    for (let position = 1; position < 15; position++) {
      const [token, next] = opened.tokens.subarray(context * 16 + position, context * 16 + position + 2);
      const p = logProbabilities(activation(token, position));
      const q = logProbabilities(centre);
      clean -= p[next];
      spliced -= q[next];
      divergence += p.reduce((sum, value, v) => sum + Math.exp(value) * (value - q[v]), 0);
      count++;
    }
  expect(scores.crossEntropy!.clean).toBeCloseTo(clean / count, 4);
  expect(scores.crossEntropy!.sae).toBeCloseTo(spliced / count, 4);
  expect(scores.klDivergence).toBeCloseTo(divergence / count, 4);
});

test('a latent that fires on one letter has that letter’s density', async () => {
  // ReLU(−x_0 + 1/2) fires where token/4 + position/8 < 1/2.
  const fires = ([x]: number[]) => x < 0.5;
  const scores = await scoreOf(
    autoencoderFrom(storedDictionary(4, { wEnc: [[-1, 0, 0, 0]], wDec: [[1, 0, 0, 0]], bEnc: [0.5] })),
  );
  const expected = rows.filter(fires).length / rows.length;
  expect(expected).toBeGreaterThan(0);
  expect(scores.l0).toBeCloseTo(expected, 12);
  expect(scores.densityHistogram.counts[Math.floor((Math.log10(expected) + 7) * 4)]).toBe(1);
});

test('no tensor is left behind', async () => {
  const autoencoder = autoencoderFrom(identity(toy.d));
  await scoreOf(autoencoder);
  const before = tf.memory().numTensors;
  await scoreOf(autoencoder);
  expect(tf.memory().numTensors).toBe(before);
});

async function writeRun(name: string, change: Partial<ReturnType<typeof identity>> = {}): Promise<void> {
  const manifest: RunManifest = {
    version: 1, name, createdAt: '', finishedAt: '', status: 'complete',
    config: {
      architecture: 'relu', capture: 'toy', hook: toyHook, width: 8, seeds: [0], batchSize: 8, tokens: 8, learningRate: 1,
      warmupSteps: 0, decayFraction: 0, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, clipNorm: null, deadAfter: 1,
      checkpointEvery: 1, logEvery: 1, sparsityCoefficient: 1, sparsityWarmupFraction: 0, targetL0: null,
    },
    d: 4, scale: 1, step: 1, totalSteps: 1, seconds: 1, tokensPerSecond: 1,
    environment: { lazyscope: '', node: '', platform: '', cpu: '', backend: '', threads: 1 },
  }; // prettier-ignore
  const { wEnc, bEnc, wDec, bDec, metadata } = { ...identity(4), ...change };
  const trained = { wEnc, bEnc, wDec, bDec, threshold: null };
  await writeDictionary(store.dictionary(name, 0), trained, { ...metadata, run: name });
  await writeFile(store.runManifest(name), JSON.stringify(manifest));
}

test('evaluation.json holds what was returned', async () => {
  await writeRun('known');
  const evaluation = await evaluate({ store, run: 'known', seed: 0, model, maxTokens: 100 });
  expect(evaluation).toMatchObject({ run: 'known', seed: 0, tokens: 100, fvu: 0 });
  const written: unknown = JSON.parse(await readFile(store.evaluation('known', 0), 'utf8'));
  expect(evaluationKind.schema.parse(written)).toEqual(evaluation);
  const { lossIntervals, crossEntropy } = evaluation;
  expect(lossIntervals?.contexts).toBe(opened.manifest.heldOutContexts);
  const [low, high] = lossIntervals!.crossEntropy.clean!;
  expect(low).toBeLessThan(crossEntropy!.clean);
  expect(high).toBeGreaterThan(crossEntropy!.clean);
  // The identity recovers all of the loss on any choice of contexts.
  expect(lossIntervals?.ceRecovered?.[0]).toBeCloseTo(1, 6);
  // Evaluations from before there were intervals are read as they are.
  const { lossIntervals: _, ...older } = evaluation;
  expect(evaluationKind.schema.parse(older)).toEqual(older);
});

test('the evaluation of a dead dictionary, whose reconstruction is 0, can be read back', async () => {
  await writeRun('dead', { bEnc: new Float32Array(8).fill(-1e6), bDec: new Float32Array(4) });
  const evaluation = await evaluate({ store, run: 'dead', seed: 0, model, maxTokens: 100 });
  expect(evaluation).toMatchObject({ l0: 0, deadFraction: 1, reconstructionBias: null });
  // JSON has no −0.
  const stored = JSON.parse(JSON.stringify(evaluation)) as typeof evaluation;
  expect(await readManifest(store.evaluation('dead', 0), evaluationKind)).toEqual(stored);
  await rm(store.run('dead'), { recursive: true });
});

test.each([
  ['wEnc', 'W_enc'],
  ['bEnc', 'b_enc'],
  ['wDec', 'W_dec'],
  ['bDec', 'b_dec'],
] as const)(
  'a dictionary with one NaN in %s is refused by name instead of evaluated',
  async (field, stored) => {
    const values = Float32Array.from(identity(4)[field]);
    values[values.length - 1] = NaN;
    await writeRun('nan', { [field]: values });
    const evaluated = evaluate({ store, run: 'nan', seed: 0, model });
    await expect(evaluated).rejects.toMatchObject({ code: 'corrupt' });
    await expect(evaluated).rejects.toThrow(new RegExp(`${stored} holds NaN`));
    await rm(store.run('nan'), { recursive: true });
  },
);

test('a stopped evaluation leaves the earlier one as it is', async () => {
  await writeRun('stopped');
  const options = { store, run: 'stopped', seed: 0, model };
  await evaluate({ ...options, maxTokens: 50 });
  const earlier = await readFile(store.evaluation('stopped', 0), 'utf8');
  const stopping = new AbortController();
  const stopped = evaluate({ ...options, report: () => stopping.abort(), signal: stopping.signal });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(await readFile(store.evaluation('stopped', 0), 'utf8')).toBe(earlier);
  await rm(store.run('stopped'), { recursive: true });
});

test('a missing run or seed, another model and a damaged dictionary are refused', async () => {
  await writeRun('bad');
  const options = { store, run: 'bad', seed: 0, model };
  await expect(evaluate({ ...options, run: 'none' })).rejects.toMatchObject({ code: 'not_found' });
  await expect(evaluate({ ...options, seed: 1 })).rejects.toMatchObject({ code: 'not_found' });
  const other = toyLanguageModel();
  await writeFile(join(other.folder, 'config.json'), '{"toy":"another"}');
  await expect(evaluate({ ...options, model: other })).rejects.toMatchObject({ code: 'bad_input' });
  await writeFile(store.dictionary('bad', 0), 'not safetensors');
  await expect(evaluate(options)).rejects.toMatchObject({ code: 'corrupt' });
  await expect(evaluate({ ...options, run: 'known', maxTokens: 0 })).rejects.toMatchObject({
    code: 'bad_input',
  });
  await rm(store.run('bad'), { recursive: true });
});
