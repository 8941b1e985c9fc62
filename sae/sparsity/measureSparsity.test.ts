import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBackend } from '../backends/startBackend.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meanCrossEntropy } from '../models/crossEntropy.ts';
import { DecoderModel } from '../models/decoderModel.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { gpt2Decoder } from '../models/families/gpt2.ts';
import { packTokens } from '../tokens/packTokens.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { StoreLayout } from '../store/layout.ts';
import { sparsityReportKind } from '../spec/manifests/sparsityReport.ts';
import { queryParquet } from '../store/parquet.ts';
import { readManifest } from '../store/readManifest.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { measureSparsity } from './measureSparsity.ts';

let store: StoreLayout;
beforeAll(async () => {
  await tf.setBackend('cpu');
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'sparsity-')));
});
afterAll(() => rm(store.root, { recursive: true }));

/** A tokenizer with one token for each digit from 0 to 7. */
const digits: Tokenizer = {
  vocabularySize: 8,
  encode: (text) => Array.from(text, Number),
  decode: (ids) => Array.from(ids).join(''),
  tokenText: String,
};

/**
 * A transformer whose measures are known by construction: token t is embedded as the axis t mod 4, attention writes nothing, and neuron i
 * fires on the tokens of axis i mod 4, a quarter of the neurons on each. Neurons 4g + c write along axis c with norm (g + 1)/10.
 * `silent` neurons have a bias that keeps them from firing.
 */
function quarterModel({ silent = 0 } = {}): DecoderModel {
  const [d, neurons, layers, vocab] = [4, 16, 2, 8];
  const config = gpt2Decoder({
    gated: false,
    vocabularySize: vocab,
    contextLength: 32,
    d,
    layers,
    heads: 1,
    keyValueHeads: 1,
    headWidth: d,
    neurons,
    activation: 'relu',
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
    eosIds: [],
  });
  const make = (shape: [number] | [number, number], entry: (i: number, j: number) => number) =>
    tf.tensor(
      Array.from({ length: shape[0] * (shape[1] ?? 1) }, (_, at) =>
        entry(Math.floor(at / (shape[1] ?? 1)), at % (shape[1] ?? 1)),
      ),
      shape,
    );
  const zeros = (...shape: number[]) => tf.zeros(shape);
  const weights = new Map<string, Tensor>([
    ['transformer.wte.weight', make([vocab, d], (token, k) => (token % d === k ? 1 : 0))],
    ['transformer.wpe.weight', zeros(32, d)],
    ['transformer.ln_f.weight', tf.ones([d])],
    ['transformer.ln_f.bias', zeros(d)],
  ]);
  for (let layer = 0; layer < layers; layer++) {
    const block = `transformer.h.${layer}`;
    for (const norm of ['ln_1', 'ln_2']) {
      weights.set(`${block}.${norm}.weight`, tf.ones([d]));
      weights.set(`${block}.${norm}.bias`, zeros(d));
    }
    weights.set(`${block}.attn.c_attn.weight`, zeros(d, 3 * d));
    weights.set(`${block}.attn.c_attn.bias`, zeros(3 * d));
    weights.set(`${block}.attn.c_proj.weight`, zeros(d, d));
    weights.set(`${block}.attn.c_proj.bias`, zeros(d));
    weights.set(
      `${block}.mlp.c_fc.weight`,
      make([d, neurons], (k, i) => (i % d === k ? 1 : 0)),
    );
    weights.set(
      `${block}.mlp.c_fc.bias`,
      make([neurons], (i) => (i < silent ? -100 : 0)),
    );
    weights.set(
      `${block}.mlp.c_proj.weight`,
      make([neurons, d], (i, k) => (i % d === k ? (Math.floor(i / d) + 1) / 10 : 0)),
    );
    weights.set(`${block}.mlp.c_proj.bias`, zeros(d));
  }
  return new DecoderModel({ name: 'quarter', folder: '/nowhere' }, config, weights, digits);
}

const text = { source: 'digits', documents: ['01234567'.repeat(64)] };

describe('a model built so that exactly a quarter of its neurons fire', () => {
  test('measures 0.25 everywhere, and its CETT is what a pencil gives', async () => {
    const model = quarterModel();
    const tensors = tf.memory().numTensors;
    const report = await measureSparsity({ store, name: 'quarter', model, text, contextLength: 16 });
    expect(tf.memory().numTensors).toBe(tensors);
    expect(await readManifest(store.sparsityReport('quarter'), sparsityReportKind)).toEqual(report);
    expect(report.tokens).toBe(512);
    for (const layer of report.layers) {
      expect(layer.activationRatio).toBe(0.25);
      expect(layer.ratioAt.slice(0, 4)).toEqual([0.25, 0.25, 0.25, 0.25]);
      expect(layer.deadRate).toBe(0);
      expect(layer.dynamicDeadRate).toBe(0);
      expect(layer.frequencyHistogram).toEqual(Array.from({ length: 50 }, (_, bin) => (bin === 12 ? 16 : 0)));
      expect(layer.tokenHistogram?.[12]).toBe(512);
      // With query and key weights of 0, attention is uniform.
      expect(layer.attentionEntropy![0]).toBeCloseTo(1, 5);
      expect(layer.attentionOverload).toBe(1);
      // 2 % are fewer than those that fire as strongly as any, and equals are masked together: nothing is left.
      expect(layer.cett).toBe(1);
      // The four that fire write 1, 2, 3 and 4 along one axis: masking the first loses 1/10, the second 3/10.
      expect(layer.ratioAtCett).toBe(3 / 16);
    }
    // An embedding of one axis: mean² (1/4)², variance 1/4 − 1/16. Tokens c and c + 4 share it.
    expect(report.depth).toHaveLength(3);
    expect(report.depth![0].meanSquared).toBeCloseTo(1 / 16, 6);
    expect(report.depth![0].variance).toBeCloseTo(3 / 16, 6);
    expect(report.depth![0].medianMeanSquared).toBeCloseTo(1 / 16, 6);
    expect(report.depth![0].medianVariance).toBeCloseTo(3 / 16, 6);
    expect(report.depth![0].inputAlignment!).toBeGreaterThan(0.6);
    model.dispose();
  });

  test('its tables say which tokens fire a neuron and which it writes', async () => {
    const neurons = await queryParquet('SELECT * FROM read_parquet($path) ORDER BY layer, neuron', {
      path: store.sparsityTable('quarter', 'neurons'),
    });
    expect(neurons).toHaveLength(32);
    neurons.forEach(({ neuron, frequency, topTokens, promotedTokens, outputNorm }, row) => {
      expect(neuron).toBe(row % 16);
      expect(frequency).toBe(0.25);
      const axis = row % 4;
      expect([...(topTokens as number[])].sort()).toEqual([axis, axis + 4]);
      expect((promotedTokens as number[]).slice(0, 2)).toEqual([axis, axis + 4]);
      expect(outputNorm).toBeCloseTo((Math.floor((row % 16) / 4) + 1) / 10, 6);
    });
    const tokens = await queryParquet('SELECT * FROM read_parquet($path)', {
      path: store.sparsityTable('quarter', 'tokens'),
    });
    expect(tokens).toHaveLength(2 * 8);
    for (const { occurrences, activationRatio } of tokens)
      expect([occurrences, activationRatio]).toEqual([64, 0.25]);
    const examples = await queryParquet(
      'SELECT * FROM read_parquet($path) WHERE layer = 1 AND neuron = 6 ORDER BY rank',
      { path: store.sparsityTable('quarter', 'examples') },
    );
    expect(examples).toHaveLength(4);
    examples.forEach(({ context, position, start, tokens: shown, activations, activation }, rank) => {
      expect([context, position, start]).toEqual([rank, 2, 0]);
      expect(shown).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2]);
      (activations as number[]).forEach((a, i) => expect(a).toBe(i % 4 === 2 ? activation : 0));
    });
    const positions = await queryParquet('SELECT * FROM read_parquet($path)', {
      path: store.sparsityTable('quarter', 'layers'),
    });
    expect(positions).toHaveLength(2 * 16);
    for (const { activationRatio } of positions) expect(activationRatio).toBe(0.25);
    const curve = await queryParquet('SELECT * FROM read_parquet($path) WHERE layer = 1 ORDER BY threshold', {
      path: store.sparsityTable('quarter', 'curves'),
    });
    expect(curve.map(({ activeRatio }) => activeRatio)).toEqual([4 / 16, 3 / 16, 2 / 16, 1 / 16, 0]);
    curve.forEach(({ cett }, p) => expect(cett).toBeCloseTo([0, 0.1, 0.3, 0.6, 1][p], 5));
  });

  test('dead neurons are counted, those of the dead batch too', async () => {
    const model = quarterModel({ silent: 4 });
    const half = { source: 'half', documents: ['01'.repeat(64) + '23'.repeat(64)] };
    const options = { store, model, text: half, contextLength: 16, batchTokens: 128 };
    const report = await measureSparsity({ ...options, name: 'silent' });
    expect(report.layers[0].deadRate).toBe(4 / 16);
    // Of the 12 neurons that can fire, the 6 of a batch's two axes fire in it.
    expect(report.layers[0].dynamicDeadRate).toBe(10 / 16);
    expect(report.layers[0].activationRatio).toBe(3 / 16);
    expect(report.layers[0].frequencyHistogram[0]).toBe(4);
    model.dispose();
  });

  test('progress counts everything from the beginning, never too much, and ends when only the report is to be written', async () => {
    const model = quarterModel();
    const name = 'watched';
    const events: { stage: string; done: number; total: number; written: boolean }[] = [];
    const options = { store, name, model, text, contextLength: 16, interventionTokens: 64 };
    await measureSparsity({
      ...options,
      report: ({ stage, done, total }) =>
        events.push({ stage, done, total, written: existsSync(store.sparsityReport(name)) }),
    });
    expect(events.length).toBeGreaterThan(80);
    const { stage } = events[0];
    events.forEach((event, i) => {
      expect(event).toMatchObject({ stage, written: false });
      expect(event.done).toBeGreaterThanOrEqual(i === 0 ? 0 : events[i - 1].done);
      expect(event.total).toBeLessThanOrEqual(i === 0 ? Infinity : events[i - 1].total);
      expect(event.done === event.total).toBe(i === events.length - 1);
    });
    // What was counted at most and not needed is taken out as that is known, rather than done all at once at the end.
    const beforeWriting = events[events.length - 2];
    expect(beforeWriting.done / beforeWriting.total).toBeGreaterThan(0.95);
    model.dispose();
  });

  test('stopped while neurons are masked, the layers are kept and the message says how to get the rest', async () => {
    const model = quarterModel();
    const tensors = tf.memory().numTensors;
    const stopping = new AbortController();
    const options = { store, name: 'stopped', model, text, contextLength: 16, interventionTokens: 512 };
    const stopAt = (share: number) => ({
      report: ({ done, total }: { done: number; total: number }) => {
        if (done > share * total) stopping.abort();
      },
      signal: stopping.signal,
    });
    await expect(measureSparsity({ ...options, ...stopAt(0.5) })).rejects.toThrow(
      /The report 'stopped' has everything else; to add PPL-p %/,
    );
    expect(tf.memory().numTensors).toBe(tensors);
    const kept = await readManifest(store.sparsityReport('stopped'), sparsityReportKind);
    expect(kept.interventions).toBeUndefined();
    expect(kept.layers.map(({ activationRatio }) => activationRatio)).toEqual([0.25, 0.25]);

    // Stopped at the very beginning there is nothing to keep, and an older report stays as it is.
    await expect(measureSparsity({ ...options, name: 'early', ...stopAt(0) })).rejects.toThrow(/Stopped/);
    expect(existsSync(store.sparsityReport('early'))).toBe(false);
    await expect(measureSparsity({ ...options, ...stopAt(0.5) })).rejects.toThrow(/Stopped while doing/);
    expect(await readManifest(store.sparsityReport('stopped'), sparsityReportKind)).toEqual(kept);
    model.dispose();
  });

  test('bad input leaves nothing behind', async () => {
    const model = quarterModel();
    const options = { store, model, text, name: 'refused' };
    await expect(measureSparsity({ ...options, contextLength: 33 })).rejects.toThrow(/takes 2 to 32 tokens/);
    await expect(
      measureSparsity({ ...options, text: { source: 'short', documents: ['012'] } }),
    ).rejects.toThrow(/'short' does not fill one context of 32 tokens/);
    await expect(
      measureSparsity({ ...options, name: 'quarter', text: { ...text, source: 'other' } }),
    ).rejects.toThrow(/'quarter' is of 'quarter' on 'digits'/);
    expect(existsSync(store.sparsity('refused'))).toBe(false);
    model.dispose();
  });
});

const stories = '../shared/models/stories260K';

describe.skipIf(!existsSync(stories))('stories260K, gated with SiLU (needs ../shared)', () => {
  test('a smooth activation fires everywhere, and its curve runs from 0 to 1', async () => {
    await startBackend('auto');
    const model = await loadLanguageModel(stories);
    const story = 'Once upon a time, there was a little girl named Lily. She loved to play in the park. ';
    const report = await measureSparsity({
      store,
      name: 'stories',
      model,
      text: { source: 'story', documents: [story.repeat(6)] },
      contextLength: 64,
      sampleTokens: 64,
    });
    expect(report.model).toMatchObject({ name: 'stories260K', activation: 'silu', gated: true });
    const contexts = packTokens(model.tokenizer, [story.repeat(6)], 64, 1000);
    expect(report.tokens).toBe(contexts.length);
    expect(report.crossEntropy).toBeCloseTo(meanCrossEntropy(model, contexts, 64), 4);
    for (const layer of report.layers) {
      expect(layer.activationRatio).toBe(1);
      expect(layer.ratioAt.every((ratio, e) => e === 0 || ratio < layer.ratioAt[e - 1])).toBe(true);
      expect(layer.cett).toBeGreaterThan(0);
      expect(layer.cett).toBeLessThan(1);
      expect(layer.ratioAtCett).toBeGreaterThan(0.1);
      expect(layer.ratioAtCett).toBeLessThan(1);
      const curve = await queryParquet(
        `SELECT * FROM read_parquet($path) WHERE layer = ${layer.layer} ORDER BY threshold`,
        { path: store.sparsityTable('stories', 'curves') },
      );
      expect(curve).toHaveLength(27);
      expect(curve[0].cett).toBe(0);
      expect(curve[26].cett).toBe(1);
      // The quoted CETT is that of the curve where 2 % of the entries stay active.
      const points = curve as { activeRatio: number; cett: number }[];
      const above = points.findLast((c) => c.activeRatio > 0.02)!;
      const below = points.find((c) => c.activeRatio <= 0.02)!;
      expect(layer.cett).toBeGreaterThanOrEqual(Math.min(above.cett, below.cett));
      expect(layer.cett).toBeLessThanOrEqual(Math.max(above.cett, below.cett));
    }
    model.dispose();
  });
});
