/** A map that only skip transcoders can learn. Their gradients are held to PyTorch's in sae/autoencoders/transcoderGoldens.test.ts. */
import { expect, test } from 'vitest';
import { randomRows } from '../autoencoders/randomRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { Random } from '../numerics/random.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { initialState } from './initialState.ts';
import { Trainer } from './trainer.ts';

const [d, outputs] = [6, 9];

test('a linear map beside sparse features is learnt by W_skip, and not without it', async () => {
  await startBackend('native', { threads: 1 });
  const features = 20;
  const read = randomRows(Random.fromSeed(1, 'read'), features, d);
  const written = randomRows(Random.fromSeed(1, 'written'), features, outputs);
  const linear = Random.fromSeed(1, 'linear').normals(outputs * d);
  let position = 0;
  let last = new Float32Array();
  const batchSize = 128;
  const source: BatchSource = {
    d,
    outputWidth: outputs,
    batchSize,
    next() {
      const data = Random.fromSeed(position, 'data');
      position += batchSize;
      const input = data.normals(batchSize * d);
      last = new Float32Array(batchSize * outputs);
      for (let row = 0; row < batchSize; row++) {
        const i = data.below(features);
        for (let j = 0; j < d; j++) input[row * d + j] += 4 * read[i * d + j];
        for (let o = 0; o < outputs; o++) {
          let sum = 2 * written[i * outputs + o];
          for (let j = 0; j < d; j++) sum += linear[o * d + j] * input[row * d + j];
          last[row * outputs + o] = sum;
        }
      }
      return input;
    },
    outputs: () => last.slice(),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
  const fvuOf = async (skip: boolean) => {
    const config = defaultTrainingConfig('topk', {
      capture: 'planted', hook: 'hook_embed', outputHook: 'blocks.0.hook_mlp_out', ...(skip && { skip }),
      d, width: 64, seeds: [1, 2], batchSize, tokens: batchSize * 1500, k: 2, learningRate: 5e-3,
    }); // prettier-ignore
    const trainer = new Trainer(config, source, initialState(config, source));
    let metrics = await trainer.advance();
    while (trainer.step < 1500) metrics = await trainer.advance(false);
    const dictionaries = [trainer.dictionary(0), trainer.dictionary(1)];
    trainer.dispose();
    return { fvu: metrics.map((one) => one.fvu), dictionaries };
  };
  const without = await fvuOf(false);
  const withSkip = await fvuOf(true);
  for (const [seed, { wSkip, wDec }] of withSkip.dictionaries.entries()) {
    expect(withSkip.fvu[seed]).toBeLessThan(0.5 * without.fvu[seed]);
    expect(withSkip.fvu[seed]).toBeLessThan(0.1);
    expect(wDec.length).toBe(64 * outputs);
    const [size, error] = [linear, wSkip!.map((w, i) => w - linear[i])].map((all) =>
      all.reduce((sum, one) => sum + one * one, 0),
    );
    // Sparse features lie along the inputs, so that W_skip and latents share what is linear in them.
    expect(error / size).toBeLessThan(0.25);
  }
});
