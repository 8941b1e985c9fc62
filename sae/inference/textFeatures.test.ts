import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCapture } from '../activations/openCapture.ts';
import { startBackend } from '../backends/startBackend.ts';
import { compare } from '../comparison/compare.ts';
import { comparisonBetween, storedComparisons } from '../comparison/storedCounterparts.ts';
import { openDictionary } from '../evaluation/openDictionary.ts';
import { collectFirings } from '../features/collectFirings.ts';
import { latents, neurons, openInferenceStore, residual } from '../fixtures/inferenceStore.ts';
import type { InferenceStore } from '../fixtures/inferenceStore.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { StoreLayout } from '../store/layout.ts';
import { tf } from '../tensor/tf.ts';
import { attachDictionary } from './attachedDictionary.ts';
import { textFeatures } from './textFeatures.ts';
import { textTokens } from './textTokens.ts';

let on: InferenceStore;
let store: StoreLayout;
let model: LanguageModel;
beforeAll(async () => {
  await startBackend('auto');
  on = await openInferenceStore();
  ({ store, model } = on);
}, 120_000);
afterAll(() => on?.close());

const attach = (run: string, seed = 0) => on.attach(run, seed);
const prompt = 'The whale, like all things that are mighty,';
const tokensOf = (text: string) => textTokens(model, text, undefined);

describe('the features of a text', () => {
  test.each(['topk', 'relu', 'jumprelu', 'neurons'])(
    'are those that the index counts on the same tokens: %s',
    async (run) => {
      const dictionary = await attach(run);
      const opened = await openDictionary(store, run, 0, model);
      const { capture, rows, hook, autoencoder } = opened;
      const firings = await collectFirings({ capture, hook, autoencoder, excluded: rows.excludedHeldOut });
      const { contextLength, firstPosition } = capture.manifest;
      for (const context of [0, 1, 5]) {
        const at = (capture.manifest.contexts - capture.manifest.heldOutContexts + context) * contextLength;
        const tokens = Array.from(capture.tokens.subarray(at, at + contextLength));
        const all = Array.from({ length: latents }, (_, latent) => latent);
        const found = await textFeatures({
          store,
          model,
          tokens,
          dictionaries: [dictionary],
          latents: [all],
        });
        const byLatent = new Map(found.dictionaries[0].traces.map((trace) => [trace.latent, trace]));
        let counted = 0;
        for (let latent = 0; latent < latents; latent++) {
          const expected: [number, number][] = [];
          for (let e = firings.start[latent]; e < firings.start[latent + 1]; e++) {
            const row = firings.rows[e] - context * capture.rowsPerContext;
            if (row >= 0 && row < capture.rowsPerContext)
              expected.push([row + firstPosition, firings.values[e]]);
          }
          const { positions, activations } = byLatent.get(latent)!;
          expect(positions).toEqual(expected.map(([position]) => position));
          activations.forEach((value, i) =>
            expect(Math.abs(value - expected[i][1])).toBeLessThan(1e-6 * Math.max(1, value)),
          );
          counted += positions.length;
        }
        expect(counted).toBeGreaterThan(20);
      }
      opened.dispose();
    },
  );

  test('a typed text begins as the contexts of the capture do, and its first position is left out', async () => {
    const capture = await openCapture(store, 'words');
    const tokens = tokensOf(' and the sea');
    expect(tokens[0]).toBe(capture.tokens[0]);
    const { dictionaries } = await textFeatures({
      store,
      model,
      tokens,
      dictionaries: [await attach('topk')],
    });
    expect(dictionaries[0].leftOut).toEqual(tokens.map((_, position) => position === 0));
    expect(dictionaries[0].l0).toEqual(tokens.map((_, position) => (position === 0 ? 0 : 6)));
    capture.close();
  });

  test('strongest latents, predictions and surprisal are those of a plain forward pass', async () => {
    const [topk, onNeurons] = [await attach('topk'), await attach('neurons')];
    const tokens = tokensOf(prompt);
    const before = tf.memory().numTensors;
    const found = await textFeatures({ store, model, tokens, dictionaries: [topk, onNeurons], strongest: 3, predictions: 4 }); // prettier-ignore
    expect(tf.memory().numTensors, 'no tensor is left behind').toBe(before);
    expect(found.dictionaries.map(({ hook }) => hook)).toEqual([residual, neurons]);
    const { activations, logits } = model.forward(tf.tensor2d([tokens], undefined, 'int32'), {
      read: [residual],
    });
    const p = tf.softmax(logits!).arraySync()[0];
    found.predictions.forEach((likely, position) => {
      const sorted = p[position]
        .map((probability, id) => ({ id, probability }))
        .sort((a, b) => b.probability - a.probability);
      expect(likely.map(({ id }) => id)).toEqual(sorted.slice(0, 4).map(({ id }) => id));
      likely.forEach(({ probability }, i) => expect(probability).toBeCloseTo(sorted[i].probability, 5));
      const following = tokens[position + 1];
      if (following !== undefined)
        expect(found.surprisal[position + 1]).toBeCloseTo(-Math.log(p[position][following]), 4);
    });
    // z = (x − b_dec)·W_encᵀ + b_enc, and TopK keeps the k largest.
    const x = (activations.get(residual)!.arraySync() as number[][][])[0];
    const { wEnc, bEnc, bDec, d } = topk.autoencoder;
    x.forEach((row, position) => {
      if (position === 0) return;
      const z = Array.from({ length: latents }, (_, latent) =>
        row.reduce((sum, value, j) => sum + (value - bDec[j]) * wEnc[latent * d + j], bEnc[latent]),
      );
      const order = z
        .map((_, latent) => latent)
        .sort((a, b) => z[b] - z[a])
        .slice(0, 3);
      expect(found.dictionaries[0].strongest[position].map(({ latent }) => latent)).toEqual(order);
      found.dictionaries[0].strongest[position].forEach(({ activation }, i) =>
        expect(activation).toBeCloseTo(z[order[i]], 4),
      );
    });
    tf.dispose([...activations.values(), logits!]);
  });

  test('counterparts of another seed are those of the stored comparison, with what they do on this text', async () => {
    await compare({
      store,
      name: 'pair',
      a: { run: 'topk', seed: 0 },
      b: { run: 'topk', seed: 1 },
      nulls: null,
    });
    const [a, b] = [await attach('topk'), await attach('topk', 1)];
    const comparisons = await storedComparisons(store);
    for (const [first, second] of [
      [a, b],
      [b, a],
    ]) {
      // prettier-ignore
      const comparison = comparisonBetween(comparisons, first, second)!;
      expect(comparison).toEqual({ name: 'pair', side: first === a ? 'a' : 'b' });
      const { dictionaries } = await textFeatures({
        store, model, tokens: tokensOf(prompt), dictionaries: [first, second], comparisons: [null, comparison],
        latents: [[], Array.from({ length: latents }, (_, i) => i)],
      }); // prettier-ignore
      const { counterparts, traces } = dictionaries[1];
      expect(counterparts!.rows.length).toBe(dictionaries[0].traces.length);
      for (const { latent, counterpart, both, onlyFirst, onlySecond } of counterparts!.rows) {
        expect(counterpart!.latent).toBe(latents - 1 - latent);
        expect(counterpart!.decoderCosine).toBeGreaterThan(0.99);
        const own = dictionaries[0].traces.find((trace) => trace.latent === latent)!;
        const other = traces.find((trace) => trace.latent === counterpart!.latent)!;
        expect(counterpart!.positions).toEqual(other.positions);
        expect([both + onlyFirst, both + onlySecond]).toEqual([own.positions.length, other.positions.length]);
      }
      expect(counterparts!.rows.some(({ both }) => both > 0)).toBe(true);
    }
  });

  test('a dictionary of another model is refused', async () => {
    await expect(
      attachDictionary(store, { model, checksum: 'other' }, { run: 'topk', seed: 0 }),
    ).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(/'topk' was trained on 'lazyscope-demo-relu', whose files differ/),
    });
  });
});
