/** Crosscoders, from their training to what is said of them: planted features are found in the layers they live in, and known answers come out. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { capture } from '../activations/capture.ts';
import { jointCapture, openCaptureOf } from '../activations/jointRows.ts';
import { openCapture } from '../activations/openCapture.ts';
import { autoencoderFrom, loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { readDictionary } from '../autoencoders/dictionaryFile.ts';
import { startBackend } from '../backends/startBackend.ts';
import { compare } from '../comparison/compare.ts';
import { decoderNorms, sharesOf } from '../evaluation/decoderShares.ts';
import { evaluate, score } from '../evaluation/evaluate.ts';
import { indexFeatures } from '../features/indexFeatures.ts';
import { storedDictionary } from '../fixtures/toyDictionaries.ts';
import { toy, toyLanguageModel } from '../fixtures/toyLanguageModel.ts';
import { Random } from '../numerics/random.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { referenceKernels } from '../ops/referenceKernels.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import { blockEnds } from '../spec/layers.ts';
import { runKind } from '../spec/manifests/run.ts';
import { featureTable } from '../spec/tables/features.ts';
import { layerShareTable } from '../spec/tables/layerShares.ts';
import { StoreLayout } from '../store/layout.ts';
import { queryRows } from '../store/queryRows.ts';
import { readManifest } from '../store/readManifest.ts';
import { storedTable } from '../store/tableSql.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { train } from './train.ts';
import { initialState } from './initialState.ts';
import { Trainer } from './trainer.ts';

vi.setConfig({ testTimeout: 240_000 });
beforeAll(() => startBackend('native', { threads: 1 }));

const widths = [24, 16, 32];
const d = 72;
const features = 64;
/** Features live in one layer each, but for every fourth, which lives in all of them. */
const livesIn = (feature: number) => (feature % 4 === 3 ? [0, 1, 2] : [feature % 4]);
const planted = plantedRows();

/** [features, d] of unit norm, which is shared evenly by the layers that a feature lives in. */
function plantedRows(): Float32Array {
  const random = Random.fromSeed(0, 'planted');
  const rows = new Float32Array(features * d);
  for (let i = 0; i < features; i++) {
    const own = livesIn(i);
    let from = i * d;
    for (const [layer, width] of widths.entries()) {
      const block = random.normals(width);
      const norm = Math.sqrt(own.length * block.reduce((sum, v) => sum + v * v, 0));
      if (own.includes(layer)) rows.set(block.map((v) => v / norm), from); // prettier-ignore
      from += width;
    }
  }
  return rows;
}

function plantedSource(batchSize: number): BatchSource {
  let position = 0;
  return {
    d,
    batchSize,
    blocks: blockEnds(widths.map((width) => ({ width }))),
    next() {
      const random = Random.fromSeed(position, 'data');
      position += batchSize;
      const x = new Float32Array(batchSize * d).fill(0.2);
      for (let row = 0; row < batchSize; row++)
        for (let i = 0; i < features; i++) {
          if (random.uniform() > 3 / features) continue;
          const strength = 0.5 + random.uniform();
          for (let j = 0; j < d; j++) x[row * d + j] += strength * planted[i * d + j];
        }
      return x;
    },
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

/** For each planted feature the learned row of largest cosine, and that cosine. */
function matches(wDec: Float32Array): { row: number; cosine: number }[] {
  return Array.from({ length: features }, (_, i) => {
    let best = { row: -1, cosine: -1 };
    for (let k = 0; k < wDec.length / d; k++) {
      let [dot, square] = [0, 0];
      for (let j = 0; j < d; j++) {
        dot += planted[i * d + j] * wDec[k * d + j];
        square += wDec[k * d + j] ** 2;
      }
      if (dot / Math.sqrt(square) > best.cosine) best = { row: k, cosine: dot / Math.sqrt(square) };
    }
    return best;
  });
}

const settings: Partial<Record<ArchitectureName, object>> = {
  topk: { k: 4 },
  batchtopk: { k: 4 },
  relu: { sparsityCoefficient: 1 },
  jumprelu: { targetL0: 3, initialThreshold: 0.03 },
};
const cases: [ArchitectureName, 'native' | 'reference'][] = [
  ['relu', 'native'],
  ['topk', 'native'],
  ['batchtopk', 'native'],
  ['jumprelu', 'native'],
  ['relu', 'reference'],
  ['topk', 'reference'],
];

test.each(cases)(
  '%s on %s kernels finds what is planted, in the layers where it lives, whatever the seed',
  async (architecture, kernels) => {
    const steps = kernels === 'native' ? 800 : 500;
    const config = defaultTrainingConfig(architecture, {
      capture: 'planted',
      hook: 'blocks.0.hook_resid_post,blocks.1.hook_resid_post,blocks.2.mlp.hook_post',
      d,
      width: 128,
      seeds: [1, 2],
      batchSize: 256,
      tokens: 256 * steps,
      ...settings[architecture],
    });
    const source = plantedSource(config.batchSize);
    const own = kernels === 'native' ? fusedKernels() : referenceKernels;
    const trainer = new Trainer(config, source, initialState(config, source), own);
    let last = await trainer.advance();
    while (trainer.step < steps) last = await trainer.advance(false);
    for (const index of [0, 1]) {
      const { wDec } = trainer.dictionary(index);
      const found = matches(wDec);
      // Directions at random would have 0.35.
      expect(found.reduce((sum, { cosine }) => sum + cosine / features, 0)).toBeGreaterThan(0.85);
      const norms = decoderNorms(wDec, widths.map((width) => ({ width }))); // prettier-ignore
      let off = 0;
      for (const [i, { row }] of found.entries())
        for (const [layer, share] of sharesOf(norms[row]).entries())
          off += Math.abs(share - (livesIn(i).includes(layer) ? 1 / livesIn(i).length : 0));
      // Rows at random are off by 1 each.
      expect(off / features).toBeLessThan(0.3);
      if (architecture !== 'relu')
        for (const row of norms) expect(row.reduce((sum, norm) => sum + norm, 0)).toBeCloseTo(1, 4);
    }
    for (const { fvu, l0 } of last) {
      expect(fvu).toBeLessThan(0.25);
      expect(l0).toBeLessThan(12);
    }
    trainer.dispose();
  },
);

test('what has no crosscoders, or names hook points wrongly, is refused', () => {
  const given = { capture: 'c', hook: 'hook_embed,blocks.0.hook_mlp_out', d, tokens: 1000 };
  for (const architecture of ['gated', 'matryoshka'] as const)
    expect(() => defaultTrainingConfig(architecture, given)).toThrow(/has no crosscoders/);
  const wrong = (changes: object) => () => defaultTrainingConfig('topk', { ...given, ...changes });
  expect(wrong({ outputHook: 'blocks.0.hook_resid_mid' })).toThrow(/predicts what it reads/);
  expect(wrong({ hook: 'hook_embed,hook_embed' })).toThrow(/'hook_embed' twice/);
  expect(wrong({ hook: 'hook_embed,' })).toThrow(/lacks a name/);
});

describe('on a capture', () => {
  const hooks = ['hook_embed', 'blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'] as const;
  const hook = `${hooks[0]},${hooks[1]}` as const;
  const model = Object.assign(toyLanguageModel(), {
    neuronOutputs: (): Tensor2D => tf.ones([2 * toy.d, toy.d]),
  });
  let store: StoreLayout;
  const environment = { lazyscope: '0', node: '', platform: '', cpu: '', backend: 'native', threads: 1 };
  const options = (name: string, changes: object = {}) => ({
    store,
    name,
    environment,
    config: defaultTrainingConfig('topk', {
      capture: 'toy', hook, d: 2 * toy.d, tokens: 1600, batchSize: 32, width: 24, seeds: [3, 5], k: 3,
      checkpointEvery: 20, logEvery: 10, ...changes,
    }),
  }); // prettier-ignore

  beforeAll(async () => {
    store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-crosscoder-')));
    const documents = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 23 }, (__, j) => String.fromCharCode(97 + ((i * 7 + j * j * 5) % 26))).join(''),
    );
    const text = { source: 'letters', documents, text: documents.join('\n\n'), sha256: 'a'.repeat(64) };
    await capture({ store, name: 'toy', model, text, hooks, contextLength: 16, heldOutFraction: 0.4 });
  });

  test('rows are the activations of all hook points, each times its scale, side by side', async () => {
    const opened = await openCapture(store, 'toy');
    const name = `${hooks[2]},${hooks[0]}` as const;
    const layers = [
      { hook: hooks[2], width: 8, scale: 3 },
      { hook: hooks[0], width: 4, scale: 0.5 },
    ];
    const joint = jointCapture(opened, name, layers);
    expect(joint.width(name)).toBe(12);
    const rows = joint.readRows(name, 5, 2);
    const [neurons, embedding] = [opened.readRows(hooks[2], 5, 2), opened.readRows(hooks[0], 5, 2)];
    const expected = [0, 1].flatMap((row) => [
      ...neurons.subarray(row * 8, (row + 1) * 8).map((v) => v * 3),
      ...embedding.subarray(row * 4, (row + 1) * 4).map((v) => v * 0.5),
    ]);
    expect([...rows]).toEqual(expected);
    const gathered = new Float32Array(24);
    joint.gatherRows(name, Uint32Array.of(6, 5), gathered);
    expect([...gathered]).toEqual([...expected.slice(12), ...expected.slice(0, 12)]);
    expect([...joint.readRows(hooks[0], 5, 2)]).toEqual([...embedding]);
    opened.close();
  });

  test('errors and losses are known where the second hook point is reconstructed from the first', async () => {
    const opened = await openCapture(store, 'toy');
    const layers = [
      { hook: hooks[0], width: toy.d, scale: 2 },
      { hook: hooks[1], width: toy.d, scale: 0.5 },
    ];
    const joint = jointCapture(opened, hook, layers);
    // Positive and negative parts of the coordinates of the embedding, each decoded into both layers.
    const unit = (at: number, values: number[]) =>
      Array.from({ length: 2 * toy.d }, (_, j) => (j % toy.d === at ? values[Math.floor(j / toy.d)] : 0));
    const rows = (values: number[]) =>
      [1, -1].flatMap((sign) => Array.from({ length: toy.d }, (_, j) => unit(j, values.map((v) => sign * v)))); // prettier-ignore
    const stored = storedDictionary(2 * toy.d, { wEnc: rows([1, 0]), wDec: rows([1, 0.5 / 2]) });
    const crosscoder = autoencoderFrom({ ...stored, metadata: { ...stored.metadata, hook, layers } });
    const scores = await score({ capture: joint, hook, autoencoder: crosscoder, model });

    // The embedding (t + j)/4 stands for the residual stream (t + j)/4 + p/8.
    const { contexts, heldOutContexts } = opened.manifest;
    const [first, end] = [contexts - heldOutContexts, contexts];
    let [error, count, clean, spliced, predictions] = [0, 0, 0, 0, 0];
    const loss = (residual: number[], next: number) => {
      const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
        residual.reduce((sum, r, j) => sum + r * Math.sin(1 + v * (j + 1)), 0),
      );
      return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[next];
    };
    const residuals: number[][] = [];
    for (let context = first; context < end; context++)
      for (let position = 1; position < 16; position++) {
        const [token, next] = opened.tokens.subarray(context * 16 + position, context * 16 + position + 2);
        const embedding = Array.from({ length: toy.d }, (_, j) => (token + j) / 4);
        residuals.push(embedding.map((e) => e + position / 8));
        error += toy.d * (position / 8) ** 2;
        count++;
        if (position === 15) continue;
        clean += loss(embedding.map((e) => e + position / 8), next); // prettier-ignore
        spliced += loss(embedding, next);
        predictions++;
      }
    const means = Array.from({ length: toy.d }, (_, j) => residuals.reduce((s, r) => s + r[j] / count, 0));
    const variance = residuals.reduce((s, r) => s + r.reduce((t, v, j) => t + (v - means[j]) ** 2, 0), 0);
    expect(scores.tokens).toBe(count);
    expect(scores.mse).toBeCloseTo((0.25 * error) / count, 4);
    expect(scores.layers!.map((layer) => layer.hook)).toEqual([hooks[0], hooks[1]]);
    expect(scores.layers![0].fvu).toBeCloseTo(0, 6);
    expect(scores.layers![1].fvu).toBeCloseTo(error / variance, 4);
    for (const [at, share] of [0.8, 0.2].entries())
      expect(scores.layers![at].decoderShare).toBeCloseTo(share, 6);
    // All eight latents have the same shares, up to rounding at the edge of a bin.
    for (const { latentsByShare } of scores.layers!) {
      expect(latentsByShare).toHaveLength(20);
      expect(latentsByShare.reduce((sum, latents) => sum + latents, 0)).toBe(8);
    }
    expect(scores.layers![0].latentsByShare.slice(15, 17).reduce((sum, n) => sum + n, 0)).toBe(8);
    const { crossEntropy } = scores;
    expect(crossEntropy!.clean).toBeCloseTo(clean / predictions, 4);
    expect(crossEntropy!.sae).toBeCloseTo(spliced / predictions, 4);
    expect(crossEntropy!.zero).toBeCloseTo(Math.log(toy.vocabulary), 4);
    // The embedding alone is reconstructed exactly, and the residual stream alone is all that the logits see.
    expect(scores.layers![0].ceRecovered).toBeCloseTo(1, 4);
    expect(scores.layers![1].ceRecovered).toBeCloseTo(scores.ceRecovered!, 5);
    crosscoder.dispose();
    opened.close();
  });

  test('interrupted and resumed gives the same bits, and files say what is read and how it is scaled', async () => {
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
    const { layers } = await readManifest(store.runManifest('whole'), runKind);
    const opened = await openCapture(store, 'toy');
    expect(layers!.map((layer) => [layer.hook, layer.width])).toEqual([[hooks[0], 4], [hooks[1], 4]]); // prettier-ignore
    for (const layer of layers!) {
      const x = opened.readRows(layer.hook, 0, opened.trainRows);
      let norms = 0;
      for (let row = 0; row < opened.trainRows; row++)
        norms += Math.hypot(...x.subarray(row * 4, (row + 1) * 4)) / opened.trainRows;
      expect(layer.scale).toBeCloseTo(2 / norms, 4);
    }
    opened.close();
    const { metadata } = await readDictionary(store.dictionary('whole', 3));
    expect(metadata).toMatchObject({ hook, layers });
  });

  test('it is evaluated, indexed and compared', async () => {
    for (const seed of [3, 5]) {
      const evaluation = await evaluate({ store, run: 'whole', seed, model });
      expect(evaluation.fvu).toBeLessThan(0.5);
      expect(evaluation.layers).toHaveLength(2);
      expect(evaluation.layers![0].decoderShare + evaluation.layers![1].decoderShare).toBeCloseTo(1, 6);
      expect(evaluation.crossEntropy!.sae).not.toBe(evaluation.crossEntropy!.clean);
      await indexFeatures({ store, run: 'whole', seed, model });
    }
    const { wDec } = await loadAutoencoder(store, 'whole', 3);
    const manifest = await readManifest(store.runManifest('whole'), runKind);
    const { scale } = manifest.layers![1];
    const rows = await queryRows(featureTable, `SELECT * FROM ${storedTable(featureTable)} ORDER BY latent`, {
      path: store.features('whole', 3),
    });
    for (const { latent, promotedTokens, promotedLogits } of rows) {
      // What a latent promotes follows from its decoder row at the last hook point.
      const row = wDec.slice(latent * 8 + 4, latent * 8 + 8);
      const logits = Array.from({ length: toy.vocabulary }, (_, v) =>
        row.reduce((sum, w, j) => sum + (w / scale) * Math.sin(1 + v * (j + 1)), 0),
      );
      expect(promotedLogits[0]).toBeCloseTo(Math.max(...logits), 4);
      expect(logits[promotedTokens[0]]).toBeCloseTo(Math.max(...logits), 4);
    }
    const shares = await queryRows(layerShareTable, `SELECT * FROM ${storedTable(layerShareTable)}`, {
      path: store.layerShares('whole', 3),
    });
    expect(shares).toHaveLength(48);
    for (const { latent, layer, hook: at, norm, share } of shares) {
      expect(at).toBe(hooks[layer]);
      const norms = [0, 1].map((l) => Math.hypot(...wDec.subarray(latent * 8 + l * 4, latent * 8 + l * 4 + 4))); // prettier-ignore
      expect(norm).toBeCloseTo(norms[layer], 5);
      expect(share).toBeCloseTo(norms[layer] / (norms[0] + norms[1]), 5);
    }
    const [a, b] = [
      { run: 'whole', seed: 3 },
      { run: 'whole', seed: 5 },
    ];
    const comparison = await compare({ store, name: 'seeds', a, b });
    expect(comparison.mmcs).toBeGreaterThan(0);
    expect(comparison.chance).toBeDefined();
    // The same dictionary twice shares every latent that has a direction, by decoder, encoder and activations.
    const same = await compare({ store, name: 'same', a, b: { run: 'parts', seed: 3 }, nulls: null });
    expect(same.shared).toBe(1);
    await expect(compare({ store, name: 'swapped', a, b, model })).rejects.toThrow(/is of crosscoders/);
  });

  test('two runs whose activations are scaled otherwise are each read in their own way', async () => {
    await train(options('other', { rowOrder: 4, seeds: [3] }));
    const [own, other] = await Promise.all(
      ['whole', 'other'].map((name) => readManifest(store.runManifest(name), runKind)),
    );
    // A run that says that everything is twice as large, and dictionaries that halve it again.
    expect(other.layers).toBeDefined();
    const comparison = await compare({
      store,
      name: 'orders',
      a: { run: 'whole', seed: 3 },
      b: { run: 'other', seed: 3 },
      nulls: null,
    });
    expect(comparison.mmcs).toBeGreaterThan(0);
    const [x, y] = await Promise.all([openCaptureOf(store, own), openCaptureOf(store, other)]);
    const ratio = (at: number) => other.layers![at].scale / own.layers![at].scale;
    const [a, b] = [x.readRows(hook, 0, 1), y.readRows(hook, 0, 1)];
    for (const [j, value] of a.entries()) expect(b[j]).toBeCloseTo(value * ratio(j < 4 ? 0 : 1), 5);
    x.close();
    y.close();
  });

  test('an unknown hook point is refused by name', async () => {
    const given = options('refused');
    const config = { ...given.config, hook: `${hooks[0]},blocks.7.hook_mlp_out` };
    await expect(train({ ...given, config })).rejects.toThrow(/has no hook 'blocks.7.hook_mlp_out'/);
  });
});
