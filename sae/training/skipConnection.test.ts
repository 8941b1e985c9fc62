/** Gradients of skip transcoders between two widths against autodiff of their definition, and a map that only they can learn. */
import { describe, expect, test } from 'vitest';
import { configuredArchitecture } from '../autoencoders/implementations.ts';
import { dictionaryVariables, disposeDictionary, type DictionaryArrays } from '../autoencoders/dictionary.ts';
import { keepLargest, withoutGradient } from '../autoencoders/keepLargest.ts';
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
const gates = { rMag: random.normals(latents, 0.3), bMag: random.normals(latents, 0.3) };
const names = ['wEnc', 'bEnc', 'wDec', 'bDec', 'wSkip', 'rMag', 'bMag'] as const;

const prefixes = [10, latents];
const [dead, alpha] = [[3, 8, 20], 0.25];
const cases = ['topk', 'relu', 'matryoshkatopk', 'gated'] as const;

/** The loss by plain operations, with ŷ = f·W_dec + x·W_skipᵀ + b_dec. */
function definition(architecture: (typeof cases)[number], values: Tensor[]): Scalar {
  const [wEnc, bEnc, wDec, bDec, wSkip, rMag, bMag] = values as [
    Tensor2D, Tensor1D, Tensor2D, Tensor1D, Tensor2D, Tensor1D, Tensor1D,
  ]; // prettier-ignore
  const [input, target] = [tf.tensor2d(x, [rows, d]), tf.tensor2d(y, [rows, outputs])];
  const products = tf.matMul<Tensor2D>(input, wEnc, false, true);
  const rectified = tf.relu(products.add<Tensor2D>(bEnc));
  const skipped = tf.matMul<Tensor2D>(input, wSkip, false, true);
  const constant = <T extends Tensor>(tensor: T) => withoutGradient(tensor, (value) => value.clone());
  const leftOver = (f: Tensor2D, decoder = wDec, bias = bDec, skip = skipped) =>
    target.sub<Tensor2D>(tf.matMul(f, decoder).add(skip).add<Tensor2D>(bias));
  switch (architecture) {
    case 'relu': {
      const norms = wDec.square().sum(1).sqrt();
      const penalty = rectified.mul(norms).sum().mul(lambda);
      return leftOver(rectified).square().sum().add(penalty).div<Scalar>(rows);
    }
    case 'gated': {
      const open = withoutGradient(rectified, (r) => tf.greater(r, 0).cast('float32'));
      const magnitudes = tf.relu(products.mul<Tensor2D>(rMag.exp()).add<Tensor2D>(bMag));
      const main = leftOver(magnitudes.mul(open)).square().sum();
      // The gate's reconstruction teaches the gate alone.
      const byGate = leftOver(rectified, constant(wDec), constant(bDec), constant(skipped)).square().sum();
      return main.add(byGate).add(rectified.sum().mul(lambda)).div<Scalar>(rows);
    }
    case 'topk':
    case 'matryoshkatopk': {
      const f = keepLargest(rectified, rectified, k);
      const ends = architecture === 'topk' ? [latents] : prefixes;
      const nested = ends.map((end) => {
        const below = tf.tensor1d(Array.from({ length: latents }, (_, i) => Number(i < end)));
        return leftOver(f.mul(below)).square().sum();
      });
      const left = constant(leftOver(f));
      const isDead = tf.tensor1d(Array.from({ length: latents }, (_, i) => Number(dead.includes(i))));
      const explained = tf.matMul(rectified.mul<Tensor2D>(isDead), wDec);
      // Of half as many latents as there are outputs, which are more than are dead.
      const auxK = left
        .sub(explained)
        .square()
        .sum()
        .div(left.sub(left.mean(0)).square().sum());
      const weight = alpha * (dead.length / Math.floor(outputs / 2));
      return tf.addN(nested).div(varianceAboutMean(y, outputs)).add<Scalar>(auxK.mul(weight));
    }
  }
}

describe.each(['cpu', 'native'] as const)('%s', (backend) => {
  test.each(cases)('%s: gradients are those of the definition', async (architecture) => {
    await startBackend(backend, backend === 'native' ? { threads: 1 } : undefined);
    const own = architecture === 'gated' ? gates : {};
    const p = dictionaryVariables({ ...parameters, wDec: parameters.wDec.slice(), ...own });
    const trained = names.filter((name) => p[name]);
    const values = () => trained.map((name) => p[name] as Tensor);
    const expected = tf.grads((...given: Tensor[]) => definition(architecture, given))(values());
    const config = {
      ...exampleConfig(architecture),
      ...('k' in exampleConfig(architecture) && { k, auxCoefficient: alpha }),
      ...(architecture === 'matryoshkatopk' && { prefixes }),
      outputHook: 'b',
      skip: true,
    } as TrainingConfig;
    const batch: Batch = {
      x: tf.tensor2d(x, [rows, d]),
      target: tf.tensor2d(y, [rows, outputs]),
      variance: varianceAboutMean(y, outputs),
    };
    const left = withoutSkip(batch, p.wSkip!);
    const pass = configuredArchitecture(config).forward(fusedKernels(), p, left, {
      sparsityCoefficient: lambda,
      dead: Int32Array.from(dead),
      state: {},
    });
    const measured = await pass.measure(true);
    const loss = definition(architecture, values()).arraySync();
    expect(Math.abs(measured.loss - loss) / loss).toBeLessThan(1e-5);
    const found = { ...fusedKernels().gradients(pass.request), wSkip: skipGradient(pass.request) };
    for (const [i, name] of trained.entries()) {
      const [a, b] = [found[name]!.dataSync(), expected[i].dataSync()];
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
