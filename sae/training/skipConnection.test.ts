/** A map that only skip transcoders can learn, of every architecture. Their gradients are held to PyTorch's in sae/autoencoders/transcoderGoldens.test.ts. */
import { expect, test, vi } from 'vitest';
import { randomRows } from '../autoencoders/randomRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { Random } from '../numerics/random.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { initialState } from './initialState.ts';
import { Trainer } from './trainer.ts';

vi.setConfig({ testTimeout: 240_000 });

const [d, outputs] = [6, 9];

/** So sparse that latents alone can't make up a dense map. */
const settings: Record<string, object> = {
  topk: { k: 2 },
  batchtopk: { k: 2 },
  matryoshkatopk: { k: 2, prefixes: [32, 64] },
  matryoshka: { k: 2, prefixes: [32, 64] },
  relu: { sparsityCoefficient: 3 },
  gated: { sparsityCoefficient: 3 },
  jumprelu: { targetL0: 2 },
};

test.each(Object.keys(settings) as ArchitectureName[])(
  '%s: a linear map beside sparse features is learnt by W_skip, and not without it',
  async (architecture) => {
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
      const config = defaultTrainingConfig(architecture, {
      capture: 'planted', hook: 'hook_embed', outputHook: 'blocks.0.hook_mlp_out', ...(skip && { skip }),
      d, width: 64, seeds: [1, 2], batchSize, tokens: batchSize * 1500, learningRate: 5e-3,
      ...settings[architecture],
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
      // Few latents of a small prefix leave more of the features to W_skip.
      expect(error / size).toBeLessThan('prefixes' in settings[architecture] ? 0.4 : 0.25);
    }
  },
);
