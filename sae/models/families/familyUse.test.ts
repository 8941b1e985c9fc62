/** What is done with models works for every family: capture, the sparsity measures, steering, generation. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capture } from '../../activations/capture.ts';
import { openCapture } from '../../activations/openCapture.ts';
import { startBackend } from '../../backends/startBackend.ts';
import { familyCases, withFamilyModel } from '../../fixtures/familyFixtures.ts';
import { Random } from '../../numerics/random.ts';
import { measureSparsity } from '../../sparsity/measureSparsity.ts';
import { StoreLayout } from '../../store/layout.ts';
import { tf } from '../../tensor/tf.ts';
import type { Tensor } from '../../tensor/tf.ts';
import { generate } from '../generate.ts';
import { blockHook } from '../hookPoints.ts';
import type { HookPoint } from '../hookPoints.ts';

const store = new StoreLayout(mkdtempSync(join(tmpdir(), 'lazyscope-families-')));
beforeAll(async () => {
  await startBackend('auto');
});
afterAll(() => rmSync(store.root, { recursive: true, force: true }));

const random = Random.fromSeed(0, 'families');
const words = Array.from({ length: 60 }, () =>
  Array.from({ length: 1 + random.below(6) }, () => String.fromCharCode(97 + random.below(26))).join(''),
);
const document = words.join(' ');
const text = { source: 'words', documents: [document], text: document, sha256: 'a'.repeat(64) };

const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** The first case of each family, and those whose blocks are built otherwise. */
const cases = familyCases.filter(
  (name) => !name.includes('.') || /\.(serial|after|grouped|alibi|parallel)$/.test(name),
);

describe.each(cases)('%s', (name) => {
  test('a capture holds what a forward pass gives', async () => {
    await withFamilyModel(name, async (model) => {
      const last = model.config.layers - 1;
      const hooks = [blockHook(last, 'hook_resid_post'), blockHook(0, 'mlp.hook_post')];
      await capture({ store, name, model, text, hooks, contextLength: 16, dtype: 'float32' });
      const opened = await openCapture(store, name);
      const tokens = tf.tensor2d(opened.tokens.subarray(0, 16), [1, 16], 'int32');
      const { activations } = model.forward(tokens, { read: hooks, readOnly: true });
      for (const hook of hooks) {
        const expected = activations.get(hook)!.dataSync<'float32'>();
        const width = model.width(hook);
        // The first position is not kept.
        const rows = opened.readRows(hook, 0, 15);
        expect(largest(rows.map((x, i) => x - expected[width + i]))).toBeLessThan(1e-5);
      }
      opened.close();
      tf.dispose([tokens, ...activations.values()]);
    });
  });

  test('the sparsity measures count what the MLP gives', async () => {
    await withFamilyModel(name, async (model) => {
      const before = tf.memory().numTensors;
      const { layers, neurons, activation, gated } = model.config;
      const { encoder } = model.config;
      const options = { store, name, model, text, contextLength: 16, methods: ['topk'] as const };
      const masking = { ...options, interventionTokens: 32 };
      if (encoder) await expect(measureSparsity(masking)).rejects.toThrow(/predicts no next token/);
      const report = await measureSparsity(encoder ? options : masking);
      expect(tf.memory().numTensors).toBe(before);
      expect(report.layers).toHaveLength(layers);
      expect(report.model).toMatchObject({ activation, gated });
      if (encoder) expect(report.crossEntropy).toBeNull();
      else expect(report.crossEntropy).toBeGreaterThan(0);
      const { experts } = model.config;
      for (const layer of report.layers) {
        expect(layer.neurons).toBe(neurons);
        expect(layer.experts?.each.length).toBe(experts?.count);
        if (experts)
          expect(layer.experts!.each.reduce((sum, each) => sum + each.tokens, 0)).toBe(
            report.tokens * experts.perToken,
          );
        expect(layer.activationRatio).toBeGreaterThan(0);
        const exact = activation === 'relu' || activation === 'relu2';
        if (exact) expect(layer.activationRatio).toBeLessThan(1);
      }
    });
  });

  test('a direction moves the logits as the unembedding says, and neurons write what they should', async () => {
    await withFamilyModel(name, async (model) => {
      const { d, neurons, finalNorm, logitSoftCap, normPlacement, layers } = model.config;
      const tokens = tf.tensor2d([5, 9, 4, 3, 17, 21], [1, 6], 'int32');
      tf.tidy(() => {
        if (finalNorm && logitSoftCap === undefined) {
          const direction = tf.tensor1d(Random.fromSeed(3).normals(d));
          const hook: HookPoint = 'ln_final.hook_normalized';
          const replace = { [hook]: (x: Tensor) => x.add(direction) };
          const moved = tf.sub(model.forward(tokens, { replace }).logits!, model.forward(tokens).logits!);
          const predicted = tf.matMul(direction.reshape([1, d]), model.foldedUnembedding('normalized'));
          expect(largest(tf.sub(moved, predicted).dataSync())).toBeLessThan(
            1e-4 * largest(predicted.dataSync()),
          );
        }
        const read = [blockHook(layers - 1, 'mlp.hook_post'), blockHook(layers - 1, 'hook_mlp_out')];
        const { activations } = model.forward(tokens, { read, readOnly: true });
        const [post, out] = read.map((hook) => activations.get(hook)!);
        // A norm on the output divides each token's by its size; a bias is nobody's.
        if (normPlacement === 'before' || normPlacement === 'after') {
          const written = tf.matMul(post.reshape([6, neurons]), model.neuronOutputs(layers - 1));
          const rest = out.reshape([6, d]).sub(written);
          const bias = rest.mean(0, true);
          expect(largest(rest.sub(bias).dataSync())).toBeLessThan(1e-4 * largest(out.dataSync()));
        }
        tf.dispose([post, out]);
      });
      tokens.dispose();
    });
  });

  test('text is generated, and a replaced activation changes it', async () => {
    await withFamilyModel(name, async (model) => {
      if (model.config.encoder) {
        await expect(generate(model, 'the sea', { maxNewTokens: 8 })).rejects.toThrow(
          /predicts no next token/,
        );
        expect(() => model.foldedUnembedding()).toThrow(/no direction moves its logits linearly/);
        return;
      }
      const before = tf.memory().numTensors;
      const { text: made, promptTokens } = await generate(model, 'the sea', { maxNewTokens: 8 });
      expect(promptTokens).toBe(7);
      expect(made.startsWith('the sea')).toBe(true);
      expect(tf.memory().numTensors).toBe(before);
    });
  });
});
