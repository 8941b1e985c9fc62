/**
 * Transcoders of every architecture that has them against the float64 losses, activations, predictions and gradients in
 * fixtures/architectures.json (PyTorch's autograd; scripts/peers/makeArchitectureGoldens.py): the definitions by autodiff, and
 * the fused kernels of every backend that starts here.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { noSoftwareDevice } from '../backends/cuda/cudaForTests.ts';
import { startBackend } from '../backends/startBackend.ts';
import { adapterForTests } from '../backends/webgpu/adapterForTests.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { hostNumber } from '../ops/computed.ts';
import { densePreActivations, latentActivations } from '../ops/denseActivations.ts';
import type { Batch, DictionaryTensors } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { firingEntries } from '../ops/sparseEntries.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { autoencoderFrom } from './autoencoder.ts';
import { batchTopKLoss } from './batchTopK.ts';
import { dictionaryVariables, disposeDictionary, parameterNames, type DictionaryArrays } from './dictionary.ts'; // prettier-ignore
import { gatedLoss } from './gated.ts';
import { configuredArchitecture } from './implementations.ts';
import { jumpReluLoss } from './jumpRelu.ts';
import { matryoshkaLoss } from './matryoshka.ts';
import { matryoshkaTopKLoss } from './matryoshkaTopK.ts';
import { reluLoss } from './relu.ts';
import { topKLoss } from './topK.ts';

const adapter = await adapterForTests();
chooseCudaDeviceForTests();

interface Golden {
  shape: number[];
  data: number[];
}
interface Case {
  lambda: number;
  bandwidth: number;
  prefixes?: number[];
  parameters?: Record<string, Golden>;
  loss: number;
  f: Golden;
  x_hat: Golden;
  gradients: Record<string, Golden>;
}
type Name = 'relu' | 'topk' | 'jumprelu' | 'batchtopk' | 'gated' | 'matryoshka' | 'matryoshkatopk';
interface Goldens {
  k: number;
  alpha: number;
  dead: number[];
  x: Golden;
  y: Golden;
  parameters: Record<string, Golden>;
  transcoders: Record<Name, Case>;
}

const golden: Goldens = JSON.parse(
  readFileSync(new URL('fixtures/architectures.json', import.meta.url), 'utf8'),
);
const { k, alpha, dead } = golden;
const [rows, d] = golden.x.shape;
const [latents] = golden.parameters['b_enc'].shape;
const spelling = { wEnc: 'W_enc', bEnc: 'b_enc', wDec: 'W_dec', bDec: 'b_dec', logThreshold: 'log_threshold', rMag: 'r_mag', bMag: 'b_mag' } as const; // prettier-ignore
const trained = Object.keys(spelling) as (keyof typeof spelling)[];

function arrays({ parameters }: Case): DictionaryArrays {
  const all = { ...golden.parameters, ...parameters };
  const read = (name: keyof typeof spelling) => Float32Array.from(all[spelling[name]].data);
  return {
    wEnc: read('wEnc'),
    bEnc: read('bEnc'),
    wDec: read('wDec'),
    bDec: read('bDec'),
    logThreshold: parameters?.log_threshold ? read('logThreshold') : null,
    ...(parameters?.r_mag && { rMag: read('rMag'), bMag: read('bMag') }),
  };
}
const tensor = ({ data }: Golden) => tf.tensor2d(Float32Array.from(data), [rows, d]);
const batch = (): Batch => ({
  x: tensor(golden.x),
  target: tensor(golden.y),
  variance: varianceAboutMean(golden.y.data, d),
});

const definitions: Record<Name, (p: DictionaryTensors, want: Case) => { loss: Scalar }> = {
  relu: (p, { lambda }) => reluLoss(p, tensor(golden.x), lambda, tensor(golden.y)),
  topk: (p) => topKLoss(p, tensor(golden.x), { k, alpha, dead }, tensor(golden.y)),
  batchtopk: (p) => batchTopKLoss(p, tensor(golden.x), { k, alpha, dead }, tensor(golden.y)),
  jumprelu: (p, { lambda, bandwidth }) =>
    jumpReluLoss(
      p,
      tensor(golden.x),
      { sparsityCoefficient: lambda, bandwidth, targetL0: null },
      tensor(golden.y),
    ),
  gated: (p, { lambda }) => gatedLoss(p, tensor(golden.x), lambda, tensor(golden.y)),
  matryoshka: (p, { prefixes = [] }) =>
    matryoshkaLoss(p, tensor(golden.x), { k, alpha, dead, prefixes }, tensor(golden.y)),
  matryoshkatopk: (p, { prefixes = [] }) =>
    matryoshkaTopKLoss(p, tensor(golden.x), { k, alpha, dead, prefixes }, tensor(golden.y)),
};
const names = Object.keys(definitions) as Name[];

function configOf(name: Name, { lambda, bandwidth, prefixes }: Case): TrainingConfig {
  const example = { ...exampleConfig(name), outputHook: 'blocks.0.hook_mlp_out' } as TrainingConfig;
  const own = { k, auxCoefficient: alpha, sparsityCoefficient: lambda, bandwidth, targetL0: null, prefixes };
  const known = Object.entries(own).filter(([setting]) => setting in example);
  return { ...example, ...Object.fromEntries(known) } as TrainingConfig;
}

describe.each(['cpu', 'native', 'cuda', 'webgpu'] as const)('%s backend', (backend) => {
  if (backend === 'cuda' && noSoftwareDevice) {
    test.skip(noSoftwareDevice, () => {});
    return;
  }
  if (backend === 'webgpu' && !adapter.found) {
    test.skip(adapter.description, () => {});
    return;
  }
  vi.setConfig({ testTimeout: 240_000 });

  test.each(names)('%s', async (name) => {
    await startBackend(backend);
    const want = golden.transcoders[name];
    const p = dictionaryVariables(arrays(want));
    const own = parameterNames.filter((each) => p[each]);
    expectNumber(definitions[name](p as DictionaryTensors, want).loss.arraySync(), want.loss);
    const gradients = tf.grads((...values: Tensor[]) => {
      const given = { logThreshold: null, ...Object.fromEntries(own.map((each, i) => [each, values[i]])) };
      return definitions[name](given as unknown as DictionaryTensors, want).loss;
    })(own.map((each) => p[each] as Tensor));
    expectGradients(Object.fromEntries(own.map((each, i) => [each, gradients[i]])), want);

    const settings = {
      sparsityCoefficient: want.lambda,
      dead: Int32Array.from(dead),
      state: { threshold: 1, least: 0 },
    };
    const architecture = configuredArchitecture(configOf(name, want));
    const pass = architecture.forward(fusedKernels(), p, batch(), settings);
    expectNumber((await pass.measure(true)).loss, want.loss);
    const squares = want.x_hat.data.reduce((sum, v, i) => sum + (v - golden.y.data[i]) ** 2, 0);
    expectNumber(hostNumber(pass.squaredError), squares);
    const { entries, error: errors, prefixes } = pass.request.main;
    const error = errors.slice<Tensor2D>([((prefixes?.length ?? 1) - 1) * rows, 0], [rows, d]);
    const theta = p.logThreshold ? tf.exp<Tensor1D>(p.logThreshold as Tensor1D) : null;
    const listed =
      entries.kind === 'sparse'
        ? firingEntries(
            {
              ...entries,
              rowStart: entries.rowStart.clone(),
              indices: entries.indices.clone(),
              values: entries.values.clone(),
            },
            theta,
          )
        : entries;
    expectClose(latentActivations(densePreActivations(listed), theta), want.f);
    expectClose(error.add(tensor(golden.y)), want.x_hat);
    expectGradients({ ...fusedKernels().gradients(pass.request) }, want);
    disposeDictionary(p);
  });

  test('a finished transcoder reads x without the decoder’s bias', async () => {
    await startBackend(backend);
    const want = golden.transcoders.topk;
    const { wEnc, bEnc, wDec, bDec } = arrays(want);
    const place = { hook: 'a', outputHook: 'b', model: '', run: '', seed: 0, scale: 1 };
    const stored = { wEnc, bEnc, wDec, bDec, threshold: null, latents, d };
    const transcoder = autoencoderFrom({ ...stored, metadata: { architecture: 'topk', k, ...place } });
    expectClose(transcoder.reconstruct(tensor(golden.x)), want.x_hat);
    const code = transcoder.encode(tensor(golden.x));
    expectClose(transcoder.decode(code), want.x_hat);
    expect(transcoder.outputHook).toBe('b');
    transcoder.dispose();
  });
});

function expectGradients(got: Partial<Record<string, Tensor | null>>, { gradients }: Case) {
  for (const name of trained) {
    const expected = gradients[spelling[name]];
    if (expected) expectClose(got[name] ?? tf.zeros([0]), expected);
    else expect(got[name] ?? null).toBeNull();
  }
}

/** 1e-5, relative to the larger of the number and 1. */
function expectNumber(got: number, want: number) {
  expect(Math.abs(got - want) / Math.max(1, Math.abs(want))).toBeLessThan(1e-5);
}

/** 1e-5, relative to the largest entry where that exceeds 1. */
function expectClose(got: Tensor | Tensor2D, want: Golden) {
  const values = got.dataSync();
  expect(values.length).toBe(want.data.length);
  const size = Math.max(1, ...want.data.map(Math.abs));
  let worst = 0;
  for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(values[i] - want.data[i]));
  expect(worst / size).toBeLessThan(1e-5);
}
