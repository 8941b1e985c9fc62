/** Data made from a known dictionary: training must find it. And the two predictors whose score is known. */
import { beforeAll, describe, expect, test } from 'vitest';
import { dictionaryVariables } from '../autoencoders/dictionary.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { relu } from '../autoencoders/relu.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import { startBackend } from '../backends/startBackend.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import {
  type ArchitectureName,
  architectureNames,
  describedArchitecture,
} from '../spec/architectures/architectures.ts';
import { meanMaxCosine } from '../fixtures/meanMaxCosine.ts';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { initialState } from './initialState.ts';
import { Trainer } from './trainer.ts';

// One thread: the arrays are so small that two would only wait for each other.
beforeAll(() => startBackend('native', { threads: 1 }));

const [d, features] = [32, 64];
const truth = randomRows(Random.fromSeed(0, 'truth'), features, d);

/** Each row a sum of a few of the features with coefficients in ½ … 1½, off-centre. */
function syntheticSource(batchSize: number): BatchSource {
  let position = 0;
  return {
    d,
    batchSize,
    next() {
      const random = Random.fromSeed(position, 'data');
      position += batchSize;
      const out = new Float32Array(batchSize * d).fill(0.2);
      for (let row = 0; row < batchSize; row++)
        for (let i = 0; i < features; i++) {
          if (random.uniform() > 3 / features) continue;
          const strength = 0.5 + random.uniform();
          for (let j = 0; j < d; j++) out[row * d + j] += strength * truth[i * d + j];
        }
      return out;
    },
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

const settings: Partial<Record<ArchitectureName, object>> = {
  topk: { k: 4 },
  batchtopk: { k: 4 },
  // A prefix of fewer latents than there are features could not have one for each.
  matryoshka: { k: 4, prefixes: [80, 128] },
  matryoshkatopk: { k: 4, prefixes: [80, 128] },
  relu: { sparsityCoefficient: 1 },
  gated: { sparsityCoefficient: 4 },
  jumprelu: { targetL0: 3, initialThreshold: 0.03 },
};

describe.each(architectureNames)('%s', (architecture) => {
  test('finds the dictionary the data is made of, whatever the seed', async () => {
    const config = defaultTrainingConfig(architecture, {
      capture: 'synthetic',
      hook: 'none',
      d,
      width: 128,
      seeds: [1, 2],
      batchSize: 256,
      tokens: 256 * 1500,
      ...(settings[architecture] ?? describedArchitecture(architecture).example),
    });
    const source = syntheticSource(config.batchSize);
    const trainer = new Trainer(config, source, initialState(config, source));
    let last = await trainer.advance();
    while (trainer.step < 1500) last = await trainer.advance(false);
    for (const index of [0, 1])
      expect(meanMaxCosine(truth, trainer.dictionary(index).wDec, d)).toBeGreaterThan(0.95);
    for (const { fvu, l0 } of last) {
      expect(fvu).toBeLessThan(0.2);
      expect(l0).toBeLessThan(12);
    }
    trainer.dispose();
  });
});

test('the mean predictor explains nothing and the identity everything', async () => {
  const values = syntheticSource(500).next();
  const x = tf.tensor2d(values, [500, d]);
  const batch = { x, variance: varianceAboutMean(values, d) };
  const mean = Float32Array.from(x.mean(0).dataSync());
  const fvu = async (w: Float32Array, bDec: Float32Array) => {
    const parameters = dictionaryVariables({
      wEnc: w.slice(),
      bEnc: new Float32Array(2 * d),
      wDec: w.slice(),
      bDec,
      logThreshold: null,
    });
    const none = { sparsityCoefficient: 0, dead: new Int32Array(), state: {} };
    const pass = relu.forward(fusedKernels(), parameters, batch, exampleConfig('relu'), none);
    return (await pass.measure(false)).fvu;
  };
  expect(await fvu(new Float32Array(2 * d * d), mean)).toBeCloseTo(1, 5);
  const both = new Float32Array(2 * d * d); // I and −I: ReLU loses neither sign
  for (let j = 0; j < d; j++) {
    both[j * d + j] = 1;
    both[(d + j) * d + j] = -1;
  }
  expect(await fvu(both, new Float32Array(d))).toBeLessThan(1e-10);
});
