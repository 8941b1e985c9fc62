import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { decoderCases, withFamilyModel } from '../fixtures/familyFixtures.ts';
import { toyLanguageModel, toy } from '../fixtures/toyLanguageModel.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { Random } from '../numerics/random.ts';
import { softmaxCrossEntropy } from '../ops/softmaxCrossEntropy.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { contextLosses } from './contextLosses.ts';

const contextLength = 7;
const firstPosition = 2;
const contexts = 3;
const random = Random.fromSeed(3, 'context losses');
const tokens = Int32Array.from({ length: contexts * contextLength }, () => random.below(37));
const keepsOwn = Uint8Array.from({ length: contexts * (contextLength - firstPosition) }, () =>
  random.below(3) === 0 ? 1 : 0,
);
const substitutes = {
  half: (x: Tensor2D) => tf.mul<Tensor2D>(x, 0.5),
  zero: (x: Tensor2D) => tf.zerosLike(x),
  turned: (x: Tensor2D) => tf.reverse(x, 1),
};

/** The same by one whole forward pass for each substitute, written down anew. */
function byWholePasses(model: LanguageModel, hook: HookPoint) {
  return tf.tidy(() => {
    const input = tf.tensor2d(tokens, [contexts, contextLength], 'int32');
    const predictions = contextLength - 1 - firstPosition;
    const next = input.slice([0, firstPosition + 1]).reshape<Tensor1D>([-1]);
    const own = tf.tensor(
      Array.from(keepsOwn, Boolean),
      [contexts, contextLength - firstPosition, 1],
      'bool',
    );
    const logitsOf = (substitute?: (x: Tensor2D) => Tensor2D) => {
      const replace = (x: Tensor) => {
        const flat = x.reshape([contexts, contextLength, -1]);
        const width = flat.shape[2]!;
        const rows = flat.slice([0, firstPosition, 0]);
        const other = substitute!(rows.reshape([-1, width])).reshape(rows.shape);
        const kept = flat.slice([0, 0, 0], [contexts, firstPosition, width]);
        return tf.concat([kept, tf.where(own, rows, other)], 1).reshape(x.shape);
      };
      const { logits } = model.forward(input, substitute && { replace: { [hook]: replace } });
      return logits!
        .slice([0, firstPosition, 0], [contexts, predictions, logits!.shape[2]])
        .reshape<Tensor2D>([contexts * predictions, -1]);
    };
    const perContext = (rows: Tensor) => {
      const values = rows.dataSync();
      return Array.from({ length: contexts }, (_, c) => {
        let sum = 0;
        for (let p = 0; p < predictions; p++) sum += values[c * predictions + p];
        return sum / predictions;
      });
    };
    const clean = logitsOf();
    const logP = tf.logSoftmax(clean);
    const turned = logitsOf(substitutes.turned);
    return {
      crossEntropy: {
        clean: perContext(softmaxCrossEntropy(clean, next)),
        half: perContext(softmaxCrossEntropy(logitsOf(substitutes.half), next)),
        zero: perContext(softmaxCrossEntropy(logitsOf(substitutes.zero), next)),
        turned: perContext(softmaxCrossEntropy(turned, next)),
      },
      divergence: perContext(tf.sum(tf.exp(logP).mul(tf.sub(logP, tf.logSoftmax(turned))), 1)),
    };
  });
}

const measure = (model: LanguageModel, hook: HookPoint, more = {}) =>
  contextLosses({
    model, hook, tokens, contextLength, firstPosition, keepsOwn, substitutes, diverging: ['turned'], ...more,
  }); // prettier-ignore

/** One of each family, and the one with norms after the sum. */
const everyFamily = decoderCases.filter((name) => !name.includes('.') || name === 'opt.after');

describe.each([
  ['cpu', ['gpt2', 'llama', 'opt.after']],
  ['auto', everyFamily],
] as const)('on %s', (backend, cases) => {
  beforeAll(async () => {
    await startBackend(backend);
  });

  test.each(cases)('%s: losses at every hook point are those of whole passes, to the bit', (name) =>
    withFamilyModel(name, async (model) => {
      const before = tf.memory().numTensors;
      for (const hook of model.hookPoints) {
        // The pattern has no fixed width, and so no dictionary.
        if (hook.endsWith('hook_pattern')) continue;
        const expected = byWholePasses(model, hook);
        const losses = await measure(model, hook);
        for (const of of ['clean', 'half', 'zero', 'turned'] as const)
          expect(Array.from(losses.crossEntropy[of]), `${hook} ${of}`).toEqual(expected.crossEntropy[of]);
        expect(Array.from(losses.divergence.turned!), hook).toEqual(expected.divergence);
      }
      expect(tf.memory().numTensors).toBe(before);
    }),
  );

  test('logits made a few positions at a time give the same losses', () =>
    withFamilyModel(decoderCases[0], async (model) => {
      const hook = 'blocks.0.hook_mlp_out';
      const whole = await measure(model, hook);
      for (const rows of [1, 3, 5]) {
        const pieces = await measure(model, hook, { largestLogits: rows * model.config.vocabularySize });
        for (const of of ['clean', 'half', 'zero', 'turned'] as const)
          pieces.crossEntropy[of].forEach((loss, c) =>
            expect(loss).toBeCloseTo(whole.crossEntropy[of][c], 5),
          );
        pieces.divergence.turned!.forEach((kl, c) => expect(kl).toBeCloseTo(whole.divergence.turned![c], 5));
      }
    }));
});

test('an aborted signal stops it before the next pass, and leaves no tensor behind', async () => {
  const model = toyLanguageModel();
  const letters = tokens.map((id) => id % toy.vocabulary);
  const before = tf.memory().numTensors;
  const stopping = new AbortController();
  const stopped = measure(model, 'blocks.0.hook_resid_post', {
    tokens: letters,
    keepsOwn: null,
    signal: stopping.signal,
    substitutes: {
      turned: (x: Tensor2D) => {
        stopping.abort();
        return tf.reverse(x, 1);
      },
    },
  });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(tf.memory().numTensors).toBe(before);
  expect(model.calls).toBeLessThan(4);
});
