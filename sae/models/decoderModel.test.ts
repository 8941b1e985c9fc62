import { beforeAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { attentionEntropySums } from '../ops/attentionEntropySums.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../tensor/tf.ts';
import type { DecoderModel } from './decoderModel.ts';
import { blockHook, parseHookPoint } from './hookPoints.ts';
import type { HookPoint } from './hookPoints.ts';
import { KeyValueCache } from './keyValueCache.ts';
import { randomModel } from '../fixtures/randomModel.ts';

beforeAll(async () => {
  await startBackend('auto');
});

const difference = (a: Tensor, b: Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]);

describe.each(['gpt2', 'llama'] as const)('%s', (family) => {
  let model: DecoderModel;
  let tokens: Tensor2D;
  let tensors: number;
  beforeEach(() => {
    tensors = tf.memory().numTensors;
    model = randomModel({ family, keyValueHeads: family === 'llama' ? 2 : undefined });
    tokens = tf.tensor2d([[5, 17, 200, 3, 3, 90], [1, 2, 3, 4, 5, 6]], undefined, 'int32'); // prettier-ignore
  });
  afterEach(() => {
    model.dispose();
    tokens.dispose();
    expect(tf.memory().numTensors, 'every tensor is disposed').toBe(tensors);
  });

  test('every hook point is read in its shape, in forward order', () => {
    const { logits, activations } = model.forward(tokens, { read: model.hookPoints });
    expect([...activations.keys()]).toEqual(model.hookPoints);
    for (const [name, activation] of activations) {
      const { hook } = parseHookPoint(name);
      const shape =
        hook === 'attn.hook_pattern' ? [2, 4, 6, 6]
        : hook === 'attn.hook_z' ? [2, 6, 4, 4]
        : hook.startsWith('mlp') ? [2, 6, 24]
        : [2, 6, 16]; // prettier-ignore
      expect(activation.shape, name).toEqual(shape);
      if (hook === 'attn.hook_pattern') expect(() => model.width(name)).toThrow(/no fixed width/);
      else expect(model.width(name)).toBe(shape.slice(2).reduce((a, b) => a * b));
    }
    expect(logits!.shape).toEqual([2, 6, 257]);
    tf.dispose([logits!, ...activations.values()]);
  });

  test('attention entropies are those of the pattern, whether or not somebody reads or replaces it', () => {
    const hook = blockHook(1, 'attn.hook_pattern');
    const clean = model.forward(tokens, { attentionEntropy: true });
    const read = model.forward(tokens, { read: [hook], attentionEntropy: true });
    const expected = attentionEntropySums(read.activations.get(hook) as Tensor4D);
    expect(clean.entropySums.map(({ shape }) => shape)).toEqual(
      Array.from({ length: model.config.layers }, () => [2, 4]),
    );
    expect(difference(clean.entropySums[1], expected)).toBeLessThan(1e-4);
    expect(difference(read.entropySums[1], expected)).toBe(0);
    expect(difference(clean.logits!, read.logits!)).toBeLessThan(1e-4);
    const one = model.forward(tokens, {
      replace: { [hook]: (x: Tensor) => tf.tidy(() => tf.linalg.bandPart(tf.onesLike(x), 0, 0)) },
      attentionEntropy: true,
    });
    for (const sum of one.entropySums[1].dataSync())
      expect(sum, 'each query sees itself alone').toBeCloseTo(0, 12);
    for (const result of [clean, read, one])
      tf.dispose([result.logits!, ...result.activations.values(), ...result.entropySums]);
    expected.dispose();
  });

  test('replacing any hook point by itself changes nothing, by something else changes the logits', () => {
    const clean = model.forward(tokens).logits!;
    for (const hook of model.hookPoints) {
      const same = model.forward(tokens, { replace: { [hook]: (x: Tensor) => x } }).logits!;
      expect(difference(clean, same), hook).toBeLessThan(1e-4);
      const other = model.forward(tokens, { replace: { [hook]: (x: Tensor) => x.reverse(-1) } }).logits!;
      expect(difference(clean, other), hook).toBeGreaterThan(1e-4);
      tf.dispose([same, other]);
    }
    clean.dispose();
  });

  test('a read of a replaced hook point gives the replacement', () => {
    const hook = blockHook(0, 'mlp.hook_post');
    const { logits, activations } = model.forward(tokens, {
      read: [hook, blockHook(0, 'hook_mlp_out')],
      replace: { [hook]: (x: Tensor) => x.zerosLike() },
    });
    expect(
      activations
        .get(hook)!
        .dataSync()
        .every((x) => x === 0),
    ).toBe(true);
    tf.dispose([logits!, ...activations.values()]);
  });

  test('the residual stream is the sum of what is written to it', () => {
    const at = (hook: Parameters<typeof blockHook>[1]) => blockHook(1, hook);
    const hooks = [at('hook_resid_pre'), at('hook_attn_out'), at('hook_mlp_out'), at('hook_resid_post')];
    const { activations, logits } = model.forward(tokens, { read: hooks, readOnly: true });
    expect(logits).toBeUndefined();
    const [pre, attention, mlp, post] = hooks.map((hook) => activations.get(hook)!);
    const sum = tf.tidy(() => pre.add(attention).add(mlp));
    expect(difference(sum, post)).toBeLessThan(1e-5);
    sum.dispose();
    tf.dispose([...activations.values()]);
  });

  test('a later token changes nothing before it', () => {
    const changed = tf.tensor2d([[5, 17, 200, 3, 3, 91], [1, 2, 3, 4, 5, 7]], undefined, 'int32'); // prettier-ignore
    tf.tidy(() => {
      const [a, b] = [tokens, changed].map((t) => model.forward(t).logits!.slice([0, 0, 0], [2, 5, -1]));
      expect(difference(a, b)).toBe(0);
    });
    changed.dispose();
  });

  test('tokens fed one by one through a key-value cache give the logits of one pass', () => {
    const cache = new KeyValueCache();
    tf.tidy(() => {
      const whole = model.forward(tokens).logits!;
      const parts = [
        tokens.slice([0, 0], [2, 3]),
        tokens.slice([0, 3], [2, 1]),
        tokens.slice([0, 4], [2, 2]),
      ].map((part) => model.forward(part, {}, cache).logits!);
      expect(cache.length).toBe(6);
      expect(difference(whole, tf.concat(parts, 1))).toBeLessThan(1e-4);
    });
    cache.dispose();
  });

  test('the folded unembedding says how a direction in the residual stream moves the logits', () => {
    tf.tidy(() => {
      const last = blockHook(1, 'hook_resid_post');
      const direction = tf.randomNormal([16], 0, 1, 'float32', 7);
      const { logits, activations } = model.forward(tokens, { read: [last] });
      // Scaling the stream up leaves the normed stream alone and makes a unit direction an infinitesimal one.
      const moved = model.forward(tokens, {
        replace: { [last]: (x: Tensor) => x.add(direction.mul(1e-2)) },
      }).logits!;
      const predicted = direction.reshape([1, 16]).matMul(model.foldedUnembedding()).flatten();
      const actual = moved.sub(logits!).slice([0, 0, 0], [1, 1, -1]).flatten();
      // The norm's scale also moves, which adds a multiple of the logits themselves: project it out.
      const base = logits!.slice([0, 0, 0], [1, 1, -1]).flatten();
      const residual = (v: Tensor) => v.sub(base.mul(tf.sum(v.mul(base)).div(tf.sum(base.mul(base)))));
      const [p, a] = [residual(predicted), residual(actual)];
      const cosine = tf
        .sum(p.mul(a))
        .div(tf.norm(p).mul(tf.norm(a)))
        .dataSync()[0];
      expect(cosine).toBeGreaterThan(0.99);
      tf.dispose([...activations.values()]);
    });
  });

  test('neuron outputs are what neurons write', () => {
    tf.tidy(() => {
      const [post, out] = [blockHook(1, 'mlp.hook_post'), blockHook(1, 'hook_mlp_out')];
      const { activations } = model.forward(tokens, { read: [post, out], readOnly: true });
      const written = activations.get(post)!.reshape([12, 24]).matMul(model.neuronOutputs(1));
      expect(difference(written, activations.get(out)!.reshape([12, 16]))).toBeLessThan(1e-5);
      tf.dispose([...activations.values()]);
    });
    expect(() => model.neuronOutputs(2)).toThrow(/Layer 2 does not exist/);
  });

  test('bad input is one clear line', () => {
    const refused = (ids: number[][], options: Parameters<DecoderModel['forward']>[1], message: RegExp) => {
      const input = tf.tensor2d(ids, undefined, 'int32');
      expect(() => model.forward(input, options)).toThrow(
        expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(message) }),
      );
      input.dispose();
    };
    refused([[3, 257]], {}, /Token 257 is outside the vocabulary.*0 to 256/);
    refused([[-1]], {}, /Token -1/);
    refused([Array.from({ length: 33 }, () => 1)], {}, /33 tokens.*context of 32/);
    refused([[1]], { read: ['blocks.2.hook_resid_pre'] }, /layers 0 to 1/);
    refused([[1]], { read: ['blocks.0.hook_nonsense' as HookPoint] }, /Unknown hook point/);
    const wide = { replace: { hook_embed: (x: Tensor) => x.concat(x, -1) } };
    refused([[1]], wide, /replacement at 'hook_embed' has shape \[1, 1, 32\]; it must be \[1, 1, 16\]/);
  });
});
