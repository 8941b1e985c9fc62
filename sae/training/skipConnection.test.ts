/** Gradients of skip transcoders between two widths against autodiff of their definition, and a map that only they can learn. */
import { describe, expect, test } from 'vitest';
import { configuredArchitecture } from '../autoencoders/implementations.ts';
import { dictionaryVariables, disposeDictionary, type DictionaryArrays } from '../autoencoders/dictionary.ts';
import { keepLargest } from '../autoencoders/keepLargest.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { startBackend } from '../backends/startBackend.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { Random } from '../numerics/random.ts';
import type { Batch } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { BatchSource } from './batchSource.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { skipGradient, withoutSkip } from './skipConnection.ts';
import { initialState, Trainer } from './trainer.ts';

const [rows, d, outputs, latents, k, lambda] = [40, 6, 9, 24, 5, 0.3];
const random = Random.fromSeed(11, 'skip');
const x = random.normals(rows * d);
const y = random.normals(rows * outputs);
const parameters: DictionaryArrays = {
  wEnc: random.normals(latents * d),
  bEnc: random.normals(latents, 0.3),
  wDec: randomRows(random, latents, outputs),
  bDec: random.normals(outputs),
  logThreshold: null,
  wSkip: random.normals(outputs * d),
};
const names = ['wEnc', 'bEnc', 'wDec', 'bDec', 'wSkip'] as const;

/** The loss by plain operations, with ŷ = f·W_dec + x·W_skipᵀ + b_dec. */
function definition(architecture: 'topk' | 'relu', values: Tensor[]): Scalar {
  const [wEnc, bEnc, wDec, bDec, wSkip] = values as [Tensor2D, Tensor1D, Tensor2D, Tensor1D, Tensor2D];
  const [input, target] = [tf.tensor2d(x, [rows, d]), tf.tensor2d(y, [rows, outputs])];
  const rectified = tf.relu(tf.matMul(input, wEnc, false, true).add<Tensor2D>(bEnc));
  const f = architecture === 'topk' ? keepLargest(rectified, rectified, k) : rectified;
  const predicted = tf
    .matMul(f, wDec)
    .add(tf.matMul(input, wSkip, false, true))
    .add<Tensor2D>(bDec);
  const error = target.sub(predicted).square().sum();
  if (architecture === 'topk') return error.div<Scalar>(varianceAboutMean(y, outputs));
  const norms = wDec.square().sum(1).sqrt();
  return error.add(f.mul(norms).sum().mul(lambda)).div<Scalar>(rows);
}

describe.each(['cpu', 'native'] as const)('%s', (backend) => {
  test.each(['topk', 'relu'] as const)('%s: gradients are those of the definition', async (architecture) => {
    await startBackend(backend, backend === 'native' ? { threads: 1 } : undefined);
    const p = dictionaryVariables({ ...parameters, wDec: parameters.wDec.slice() });
    const expected = tf.grads((...values: Tensor[]) => definition(architecture, values))(
      names.map((name) => p[name] as Tensor),
    );
    const own = architecture === 'topk' ? { k } : { sparsityCoefficient: lambda };
    const config = { ...exampleConfig(architecture), outputHook: 'b', skip: true, ...own } as TrainingConfig;
    const batch: Batch = {
      x: tf.tensor2d(x, [rows, d]),
      target: tf.tensor2d(y, [rows, outputs]),
      variance: varianceAboutMean(y, outputs),
    };
    const left = withoutSkip(batch, p.wSkip!);
    const pass = configuredArchitecture(config).forward(fusedKernels(), p, left, {
      sparsityCoefficient: lambda,
      dead: new Int32Array(),
      state: {},
    });
    const measured = await pass.measure(true);
    const loss = definition(
      architecture,
      names.map((name) => p[name] as Tensor),
    ).arraySync();
    expect(Math.abs(measured.loss - loss) / loss).toBeLessThan(1e-5);
    const found = { ...fusedKernels().gradients(pass.request), wSkip: skipGradient(pass.request) };
    for (const [i, name] of names.entries()) {
      const [a, b] = [found[name].dataSync(), expected[i].dataSync()];
      expect(a.length).toBe(b.length);
      const size = Math.max(1e-3, ...b.map(Math.abs));
      for (let at = 0; at < b.length; at++) expect(Math.abs(a[at] - b[at]) / size).toBeLessThan(2e-5);
    }
    pass.dispose();
    disposeDictionary(p);
  });
});

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
