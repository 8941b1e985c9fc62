/** Transcoders, from their training to what is said of them: known dictionaries are found, and known answers come out. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { capture } from '../activations/capture.ts';
import { openCapture } from '../activations/openCapture.ts';
import { autoencoderFrom, loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { readDictionary } from '../autoencoders/dictionaryFile.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { compare } from '../comparison/compare.ts';
import { evaluate, score } from '../evaluation/evaluate.ts';
import { indexFeatures } from '../features/indexFeatures.ts';
import { identity } from '../fixtures/toyDictionaries.ts';
import { toy, toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { meanMaxCosine } from '../fixtures/meanMaxCosine.ts';
import { Random } from '../numerics/random.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import { featureTable } from '../spec/tables/features.ts';
import { StoreLayout } from '../store/layout.ts';
import { queryRows } from '../store/queryRows.ts';
import { storedTable } from '../store/tableSql.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { train } from './train.ts';
import { initialState } from './initialState.ts';
import { Trainer } from './trainer.ts';

beforeAll(() => startBackend('native', { threads: 1 }));

const [d, features] = [32, 64];
const read = randomRows(Random.fromSeed(0, 'read'), features, d);
const written = randomRows(Random.fromSeed(0, 'written'), features, d);

/** Inputs are sums of a few directions of `read`, outputs the same sums of those of `written`, both off-centre. */
function plantedSource(batchSize: number): BatchSource {
  let position = 0;
  let last = new Float32Array(0);
  return {
    d,
    batchSize,
    next() {
      const random = Random.fromSeed(position, 'data');
      position += batchSize;
      const x = new Float32Array(batchSize * d).fill(0.2);
      last = new Float32Array(batchSize * d).fill(-0.3);
      for (let row = 0; row < batchSize; row++)
        for (let i = 0; i < features; i++) {
          if (random.uniform() > 3 / features) continue;
          const strength = 0.5 + random.uniform();
          for (let j = 0; j < d; j++) {
            x[row * d + j] += strength * read[i * d + j];
            last[row * d + j] += strength * written[i * d + j];
          }
        }
      return x;
    },
    outputs: () => last.slice(),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

const settings: Partial<Record<ArchitectureName, object>> = {
  topk: { k: 4 },
  batchtopk: { k: 4 },
  relu: { sparsityCoefficient: 1 },
  jumprelu: { targetL0: 3, initialThreshold: 0.03 },
  gated: { sparsityCoefficient: 2 },
  // A prefix of fewer latents than there are features could not have one for each.
  matryoshka: { k: 4, prefixes: [80, 128] },
  matryoshkatopk: { k: 4, prefixes: [80, 128] },
};

test.each(Object.keys(settings) as ArchitectureName[])(
  '%s finds what outputs are made of, and not what inputs are, whatever the seed',
  async (architecture) => {
    const config = defaultTrainingConfig(architecture, {
      capture: 'planted',
      hook: 'blocks.0.hook_resid_mid',
      outputHook: 'blocks.0.hook_mlp_out',
      d,
      width: 128,
      seeds: [1, 2],
      batchSize: 256,
      tokens: 256 * 2000,
      ...settings[architecture],
    });
    const source = plantedSource(config.batchSize);
    const trainer = new Trainer(config, source, initialState(config, source));
    let last = await trainer.advance();
    while (trainer.step < 2000) last = await trainer.advance(false);
    for (const index of [0, 1]) {
      const { wDec } = trainer.dictionary(index);
      // Directions at random would have 0.45.
      expect(meanMaxCosine(written, wDec, d)).toBeGreaterThan(0.85);
      expect(meanMaxCosine(read, wDec, d)).toBeLessThan(0.6);
    }
    for (const { fvu, l0 } of last) {
      expect(fvu).toBeLessThan(0.25);
      expect(l0).toBeLessThan(12);
    }
    trainer.dispose();
  },
);

describe('on a capture', () => {
  const [hook, outputHook] = ['hook_embed', 'blocks.0.hook_resid_post'] as const;
  const model = Object.assign(toyLanguageModel(), {
    neuronOutputs: (): Tensor2D => tf.ones([2 * toy.d, toy.d]),
  });
  let store: StoreLayout;
  const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'native', threads: 1 };
  const options = (name: string) => ({
    store,
    name,
    environment,
    config: defaultTrainingConfig('topk', {
      capture: 'toy', hook, outputHook, d: toy.d, tokens: 1600, batchSize: 32, width: 24, seeds: [3, 5], k: 3,
      checkpointEvery: 20, logEvery: 10,
    }),
  }); // prettier-ignore

  beforeAll(async () => {
    store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-transcoder-')));
    const documents = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
    );
    const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
    const hooks = [hook, outputHook, 'blocks.0.mlp.hook_post'] as const;
    await capture({ store, name: 'toy', model, text, hooks, contextLength: 16, heldOutFraction: 0.4 });
  });

  test('errors and losses are of the output, with what was predicted in its place', async () => {
    const opened = await openCapture(store, 'toy');
    const stored = identity(toy.d);
    const transcoder = autoencoderFrom({ ...stored, metadata: { ...stored.metadata, hook, outputHook } });
    const scores = await score({ capture: opened, hook, output: outputHook, autoencoder: transcoder, model });
    // The embedding (t + j)/4 stands for the residual stream (t + j)/4 + p/8.
    const [first, end] = [
      opened.manifest.contexts - opened.manifest.heldOutContexts,
      opened.manifest.contexts,
    ];
    let [error, rows, clean, spliced, predictions] = [0, 0, 0, 0, 0];
    const loss = (residual: number[], next: number) => {
      const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
        residual.reduce((sum, r, j) => sum + r * Math.sin(1 + v * (j + 1)), 0),
      );
      return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[next];
    };
    for (let context = first; context < end; context++)
      for (let position = 1; position < 16; position++) {
        error += toy.d * (position / 8) ** 2;
        rows++;
        if (position === 15) continue;
        const [token, next] = opened.tokens.subarray(context * 16 + position, context * 16 + position + 2);
        const embedding = Array.from({ length: toy.d }, (_, j) => (token + j) / 4);
        clean += loss(embedding.map((e) => e + position / 8), next); // prettier-ignore
        spliced += loss(embedding, next);
        predictions++;
      }
    expect(scores.tokens).toBe(rows);
    expect(scores.mse).toBeCloseTo(error / rows, 5);
    expect(scores.crossEntropy!.clean).toBeCloseTo(clean / predictions, 4);
    expect(scores.crossEntropy!.sae).toBeCloseTo(spliced / predictions, 4);
    transcoder.dispose();
    opened.close();
  });

  test('interrupted and resumed gives the same bits, and the file says what it predicts', async () => {
    await train(options('whole'));
    const controller = new AbortController();
    const report = ({ done }: { done: number }) => done >= 20 && controller.abort();
    await expect(train({ ...options('parts'), report, signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    await train({ ...options('parts'), resume: true });
    for (const seed of [3, 5]) {
      const [a, b] = [
        await loadAutoencoder(store, 'whole', seed),
        await loadAutoencoder(store, 'parts', seed),
      ];
      for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const) expect(b[name]).toEqual(a[name]);
    }
    const { metadata } = await readDictionary(store.dictionary('whole', 3));
    expect(metadata).toMatchObject({ hook, outputHook });
  });

  test('it is evaluated, indexed and compared', async () => {
    for (const seed of [3, 5]) {
      const evaluation = await evaluate({ store, run: 'whole', seed, model });
      expect(evaluation.fvu).toBeLessThan(0.5);
      expect(evaluation.crossEntropy!.sae).not.toBe(evaluation.crossEntropy!.clean);
      await indexFeatures({ store, run: 'whole', seed, model });
    }
    // What a latent promotes follows from its decoder row, which is in the residual stream.
    const { wDec } = await loadAutoencoder(store, 'whole', 3);
    const rows = await queryRows(featureTable, `SELECT * FROM ${storedTable(featureTable)} ORDER BY latent`, {
      path: store.features('whole', 3),
    });
    for (const { latent, promotedTokens } of rows) {
      const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
        wDec
          .slice(latent * toy.d, (latent + 1) * toy.d)
          .reduce((sum, w, j) => sum + w * Math.sin(1 + v * (j + 1)), 0),
      );
      expect(logits[promotedTokens[0]]).toBeCloseTo(Math.max(...logits), 5);
    }
    const [a, b] = [
      { run: 'whole', seed: 3 },
      { run: 'whole', seed: 5 },
    ];
    const comparison = await compare({ store, name: 'seeds', a, b });
    expect(comparison.mmcs).toBeGreaterThan(0);
    await expect(compare({ store, name: 'swapped', a, b, model })).rejects.toThrow(/is of transcoders/);
  });

  test('between two widths and with a skip connection: resumed to the same bits, evaluated and indexed', async () => {
    const given = (name: string) => {
      const { config, ...rest } = options(name);
      return { ...rest, config: { ...config, outputHook: 'blocks.0.mlp.hook_post', skip: true } };
    };
    await train(given('skip'));
    const controller = new AbortController();
    const report = ({ done }: { done: number }) => done >= 20 && controller.abort();
    await expect(train({ ...given('cut'), report, signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    await train({ ...given('cut'), resume: true });
    const [a, b] = [await loadAutoencoder(store, 'skip', 3), await loadAutoencoder(store, 'cut', 3)];
    for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec', 'wSkip'] as const) expect(b[name]).toEqual(a[name]);
    expect(a).toMatchObject({ d: toy.d, outputWidth: 2 * toy.d });
    expect(a.wSkip!.some((w) => w !== 0)).toBe(true);
    expect(() =>
      a.decode({
        rows: 0,
        rowStart: Int32Array.of(0),
        indices: new Int32Array(),
        values: new Float32Array(),
      }),
    ).toThrow(/decodes with the activations/);
    const { fvu } = await evaluate({ store, run: 'skip', seed: 3, model: null });
    expect(fvu).toBeLessThan(1);
    await indexFeatures({ store, run: 'skip', seed: 3, model: null });
    const sides = [
      { run: 'skip', seed: 3 },
      { run: 'skip', seed: 5 },
    ] as const;
    await expect(compare({ store, name: 'widths', a: sides[0], b: sides[1] })).rejects.toThrow(
      /of one width/,
    );
  });

  test('hook points that are read too or aren’t there, and a skip without a transcoder, are refused', async () => {
    const change = (changes: object) => {
      const given = options('refused');
      return { ...given, config: { ...given.config, ...changes } };
    };
    await expect(train(change({ outputHook: undefined, skip: true }))).rejects.toThrow(/skip is|--skip/);
    await expect(train(change({ outputHook: hook }))).rejects.toThrow(/which is read too/);
    await expect(train(change({ outputHook: 'blocks.7.hook_mlp_out' }))).rejects.toThrow(/has no hook/);
  });
});
