import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { Random } from '../numerics/random.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import { withFamilyFolder } from '../fixtures/familyFixtures.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import { loadLanguageModel } from './loadLanguageModel.ts';
import { generate } from './generate.ts';
import { randomModel } from '../fixtures/randomModel.ts';
import { sampleToken } from './sampleToken.ts';

beforeAll(async () => {
  await startBackend('auto');
});

test('greedy generation with a cache takes the tokens that whole forward passes would take', async () => {
  for (const family of ['gpt2', 'llama'] as const) {
    const model = randomModel({ family });
    const before = tf.memory().numTensors;
    const { tokens, promptTokens, stopped } = await generate(model, 'Call', { maxNewTokens: 12 });
    expect(tf.memory().numTensors).toBe(before);
    expect(promptTokens).toBe(5); // <|endoftext|> and four bytes
    const whole = tokens.slice(0, promptTokens);
    while (whole.length < tokens.length)
      whole.push(
        tf.tidy(() => {
          const { logits } = model.forward(tf.tensor2d([whole], undefined, 'int32'));
          return logits!.argMax(-1).dataSync()[whole.length - 1];
        }),
      );
    expect(tokens).toEqual(whole);
    expect(['length', 'end']).toContain(stopped);
    model.dispose();
  }
});

test('the same seed draws the same text, another seed another', async () => {
  const model = randomModel();
  const draw = async (seed: number) =>
    (await generate(model, 'x', { maxNewTokens: 20, temperature: 1, seed })).tokens.join();
  expect(await draw(3)).toBe(await draw(3));
  expect(await draw(3)).not.toBe(await draw(4));
  model.dispose();
});

test('stops when the context is full', async () => {
  const model = randomModel();
  const { tokens, stopped } = await generate(model, 'x', { maxNewTokens: 100 });
  expect(stopped).toBe('context');
  // The last token needs no room of its own: nothing is predicted from it.
  expect(tokens).toHaveLength(33);
  model.dispose();
});

test('streamed pieces make up the text, characters arrive whole', async () => {
  const model = randomModel();
  let streamed = '';
  const { text } = await generate(model, 'né', {
    maxNewTokens: 25,
    temperature: 1,
    seed: 5,
    onToken: (_, piece) => (streamed += piece),
  });
  expect(streamed.length).toBeGreaterThan(0);
  expect(text.startsWith(`né${streamed}`)).toBe(true);
  model.dispose();
});

test('weights that are not finite are an error that names the tensor, and so are activations', async () => {
  await withFamilyFolder('llama', async (folder) => {
    const path = join(folder, 'model.safetensors');
    const file = await readSafetensors(path);
    const tensors = Object.fromEntries(
      file.names.map((name) => [name, { shape: file.shape(name), data: file.float32(name) }]),
    );
    tensors['model.layers.1.mlp.up_proj.weight'].data[17] = NaN;
    await writeSafetensors(path, tensors);
    const model = await loadLanguageModel(folder);
    await expect(generate(model, 'a b', { maxNewTokens: 3 })).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/'model\.layers\.1\.mlp\.up_proj\.weight'.*not finite/),
    });
    model.dispose();
  });
  const model = randomModel();
  const replace = { hook_embed: (x: Tensor) => x.mul(NaN) };
  await expect(generate(model, 'a b', { maxNewTokens: 3, replace })).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringMatching(/not finite with the activations that were put in/),
  });
  model.dispose();
});

test('options that can not be are refused', async () => {
  const model = randomModel();
  const refused = (options: object, message: RegExp) =>
    expect(generate(model, 'x', { maxNewTokens: 1, ...options })).rejects.toThrow(message);
  await refused({ maxNewTokens: 0 }, /maxNewTokens/);
  await refused({ temperature: -1 }, /temperature/);
  await refused({ topK: 0 }, /topK/);
  await refused({ topP: 1.5 }, /topP/);
  await expect(generate(model, 'x'.repeat(40), { maxNewTokens: 1 })).rejects.toThrow(
    /41 tokens.*context of 32/,
  );
  model.dispose();
});

test('draws follow the softmax, within what top-k and top-p leave', () => {
  const logits = [Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)];
  const shares = (sampling: object) => {
    const random = Random.fromSeed(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[sampleToken(logits, { temperature: 1, ...sampling }, random)]++;
    return counts.map((count) => count / 20_000);
  };
  const close = (actual: number[], expected: number[]) =>
    actual.forEach((share, i) => expect(Math.abs(share - expected[i])).toBeLessThan(0.015));
  close(shares({}), [0.5, 0.3, 0.15, 0.05]);
  close(shares({ topK: 2 }), [0.625, 0.375, 0, 0]);
  close(shares({ topP: 0.9 }), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]);
  close(
    shares({ temperature: 0.5 }),
    [0.25, 0.09, 0.0225, 0.0025].map((p) => p / 0.365),
  );
  close(shares({ temperature: 0 }), [1, 0, 0, 0]);
});
