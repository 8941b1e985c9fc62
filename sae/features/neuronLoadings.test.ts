import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import type { DecoderModel } from '../models/decoderModel.ts';
import { randomModel } from '../fixtures/randomModel.ts';
import { tf } from '../tensor/tf.ts';
import { neuronLoadings } from './neuronLoadings.ts';

let model: DecoderModel;
let tensors = 0;
beforeAll(async () => {
  await startBackend('auto');
});
beforeEach(() => {
  model = randomModel({ d: 16, layers: 3, neurons: 24 });
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
  model.dispose();
});
const rowsOf = (layer: number) => {
  const outputs = model.neuronOutputs(layer);
  const values = outputs.dataSync<'float32'>().slice();
  outputs.dispose();
  return values;
};

test('a latent that is a neuron’s output loads on that neuron with cosine 1, its negative with −1', async () => {
  const [first, second] = [rowsOf(0).subarray(5 * 16, 6 * 16), rowsOf(1).subarray(23 * 16, 24 * 16)];
  const wDec = Float32Array.from([
    ...first.map((x) => 3 * x),
    ...second.map((x) => -x),
    ...new Float32Array(16),
  ]);
  const table = await neuronLoadings({
    wDec, latents: 3, hook: 'blocks.1.hook_resid_post', model, count: 4,
  }); // prettier-ignore
  const { latent, rank, layer, neuron, cosine } = table as Record<keyof typeof table, number[]>;
  expect(latent).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  expect([layer[0], neuron[0], layer[4], neuron[4]]).toEqual([0, 5, 1, 23]);
  expect(cosine[0]).toBeCloseTo(1, 5);
  expect(cosine[4]).toBeCloseTo(-1, 5);
  expect(cosine.slice(8)).toEqual([0, 0, 0, 0]);
  expect(rank.slice(0, 4)).toEqual([0, 1, 2, 3]);
  for (let r = 1; r < 4; r++) expect(Math.abs(cosine[r])).toBeLessThanOrEqual(Math.abs(cosine[r - 1]));
});

test('only layers that have written by then are looked at; at hook_post the neurons are the axes', async () => {
  const wDec = rowsOf(2).slice(0, 16);
  const at = (
    hook: 'blocks.1.hook_resid_post' | 'blocks.2.hook_mlp_out' | 'blocks.2.hook_resid_pre' | 'hook_embed',
  ) => neuronLoadings({ wDec, latents: 1, hook, model, count: 2 });
  expect((await at('blocks.2.hook_mlp_out')).layer).toEqual([2, 2]);
  for (const hook of ['blocks.1.hook_resid_post', 'blocks.2.hook_resid_pre'] as const)
    for (const layer of (await at(hook)).layer as number[]) expect(layer).toBeLessThan(2);
  expect((await at('hook_embed')).latent).toEqual([]);
  const axis = new Float32Array(24);
  [axis[7], axis[3]] = [3, -4];
  const table = await neuronLoadings({
    wDec: axis,
    latents: 1,
    hook: 'blocks.0.mlp.hook_post',
    model,
    count: 2,
  });
  expect(table.neuron).toEqual([3, 7]);
  (table.cosine as number[]).forEach((cosine, i) => expect(cosine).toBeCloseTo([-0.8, 0.6][i], 6));
});
