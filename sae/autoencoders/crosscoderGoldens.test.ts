/**
 * Crosscoders of every architecture that has them against the float64 losses, activations, reconstructions and gradients in
 * fixtures/crosscoders.json (PyTorch's autograd, layer by layer; scripts/peers/makeCrosscoderGoldens.py): the definitions by autodiff, and the fused
 * kernels of the backends that know blocks. Then the update: native against the reference, and what it keeps.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startBackend } from '../backends/startBackend.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';
import { hostNumber } from '../ops/computed.ts';
import { densePreActivations, latentActivations } from '../ops/denseActivations.ts';
import type { AdamSettings, Batch, DictionaryTensors } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { referenceKernels } from '../ops/referenceKernels.ts';
import { rowSizes } from '../ops/rowSizes.ts';
import { firingEntries } from '../ops/sparseEntries.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import type { TrainingConfig } from '../spec/architectures/architectures.ts';
import { blockEnds } from '../spec/layers.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { autoencoderFrom } from './autoencoder.ts';
import { batchTopKLoss } from './batchTopK.ts';
import { dictionaryArrays, dictionaryVariables, disposeDictionary, parameterNames, zerosLike, type DictionaryArrays } from './dictionary.ts'; // prettier-ignore
import { configuredArchitecture } from './implementations.ts';
import { jumpReluLoss } from './jumpRelu.ts';
import { reluLoss } from './relu.ts';
import { topKLoss } from './topK.ts';

interface Golden {
  shape: number[];
  data: number[];
}
interface Case {
  lambda: number;
  bandwidth: number;
  parameters: Record<string, Golden>;
  loss: number;
  sizes: Golden;
  f: Golden;
  x_hat: Golden;
  gradients: Record<string, Golden>;
}
type Name = 'relu' | 'topk' | 'jumprelu' | 'batchtopk';
interface Goldens {
  k: number;
  alpha: number;
  dead: number[];
  widths: number[];
  x: Golden;
  cases: Record<Name, Case>;
}

const golden: Goldens = JSON.parse(
  readFileSync(new URL('fixtures/crosscoders.json', import.meta.url), 'utf8'),
);
const { k, alpha, dead } = golden;
const [rows, d] = golden.x.shape;
const layers = golden.widths.map((width, at) => ({ hook: `hook ${at}`, width, scale: 1 }));
const blocks = blockEnds(layers);
const spelling = { wEnc: 'W_enc', bEnc: 'b_enc', wDec: 'W_dec', bDec: 'b_dec', logThreshold: 'log_threshold' } as const; // prettier-ignore

function arrays({ parameters }: Case): DictionaryArrays {
  const read = (name: keyof typeof spelling) => Float32Array.from(parameters[spelling[name]].data);
  return {
    wEnc: read('wEnc'),
    bEnc: read('bEnc'),
    wDec: read('wDec'),
    bDec: read('bDec'),
    logThreshold: 'log_threshold' in parameters ? read('logThreshold') : null,
  };
}
const x = () => tf.tensor2d(Float32Array.from(golden.x.data), [rows, d]);
function batch(): Batch {
  const own = x();
  return { x: own, target: own, blocks, variance: varianceAboutMean(golden.x.data, d) };
}

/** TopK's choice is by activation alone, because its rows have size 1. */
const definitions: Record<Name, (p: DictionaryTensors, want: Case) => { loss: Scalar }> = {
  relu: (p, { lambda }) => reluLoss(p, x(), lambda, x(), blocks),
  topk: (p) => topKLoss(p, x(), { k, alpha, dead }, x()),
  batchtopk: (p) => batchTopKLoss(p, x(), { k, alpha, dead }, x()),
  jumprelu: (p, { lambda, bandwidth }) =>
    jumpReluLoss(p, x(), { sparsityCoefficient: lambda, bandwidth, targetL0: null }, x()),
};
const names = Object.keys(definitions) as Name[];

function architectureOf(name: Name, { lambda, bandwidth }: Case) {
  const example = { ...exampleConfig(name), hook: layers.map(({ hook }) => hook).join() } as TrainingConfig;
  const own = { k, auxCoefficient: alpha, sparsityCoefficient: lambda, bandwidth, targetL0: null };
  const known = Object.entries(own).filter(([setting]) => setting in example);
  return configuredArchitecture({ ...example, ...Object.fromEntries(known) } as TrainingConfig);
}
const settingsOf = ({ lambda }: Case) => ({
  sparsityCoefficient: lambda,
  dead: Int32Array.from(dead),
  state: { threshold: 1, least: 0 },
});

describe.each(['cpu', 'native', 'wasm'] as const)('%s backend', (backend) => {
  test.each(names)('%s', async (name) => {
    await startBackend(backend);
    const want = golden.cases[name];
    const p = dictionaryVariables(arrays(want));
    expectClose(rowSizes(p.wDec as Tensor2D, blocks), want.sizes);
    const own = parameterNames.filter((each) => p[each]);
    // TF.js's oneHot on WebAssembly, which only the definitions need, writes a float's 1 as the bits of an integer.
    if (backend !== 'wasm') {
      expectNumber(definitions[name](p as DictionaryTensors, want).loss.arraySync(), want.loss);
      const gradients = tf.grads((...values: Tensor[]) => {
        const given = { logThreshold: null, ...Object.fromEntries(own.map((each, i) => [each, values[i]])) };
        return definitions[name](given as unknown as DictionaryTensors, want).loss;
      })(own.map((each) => p[each] as Tensor));
      expectGradients(Object.fromEntries(own.map((each, i) => [each, gradients[i]])), want);
    }

    const pass = architectureOf(name, want).forward(fusedKernels(), p, batch(), settingsOf(want));
    expectNumber((await pass.measure(true)).loss, want.loss);
    const squares = want.x_hat.data.reduce((sum, v, i) => sum + (v - golden.x.data[i]) ** 2, 0);
    expectNumber(hostNumber(pass.squaredError), squares);
    expectGradients({ ...fusedKernels().gradients(pass.request) }, want);
    const { entries, error } = pass.request.main;
    const theta = p.logThreshold ? tf.exp<Tensor1D>(p.logThreshold as Tensor1D) : null;
    const listed = entries.kind === 'sparse' ? firingEntries(entries, theta) : entries;
    expectClose(latentActivations(densePreActivations(listed), theta), want.f);
    expectClose(error.add(x()), want.x_hat);
    disposeDictionary(p);
  });

  test('a finished crosscoder reads x without the decoder’s bias', async () => {
    await startBackend(backend);
    const want = golden.cases.topk;
    const { wEnc, bEnc, wDec, bDec } = arrays(want);
    const metadata = { architecture: 'topk', k, hook: 'a', layers, model: '', run: '', seed: 0, scale: 1 } as const; // prettier-ignore
    const stored = { wEnc, bEnc, wDec, bDec, threshold: null, latents: bEnc.length, d, metadata };
    const crosscoder = autoencoderFrom(stored);
    expectClose(crosscoder.reconstruct(x()), want.x_hat);
    expectClose(crosscoder.decode(crosscoder.encode(x())), want.x_hat);
    crosscoder.dispose();
  });
});

const adam: AdamSettings = {
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 1,
  clipNorm: 0.5,
  unitNormDecoder: false,
};

test.each(names)('%s: three updates on native are those of the reference', async (name) => {
  await startBackend('native');
  const want = golden.cases[name];
  const unitNormDecoder = name !== 'relu';
  const [found, expected] = [fusedKernels(), referenceKernels].map((kernels) => {
    const p = dictionaryVariables(arrays(want));
    const moments = { first: dictionaryVariables(zerosLike(arrays(want))), second: dictionaryVariables(zerosLike(arrays(want))) }; // prettier-ignore
    for (let step = 1; step <= 3; step++) {
      const pass = architectureOf(name, want).forward(kernels, p, batch(), settingsOf(want));
      kernels.update(pass.request, moments, { ...adam, step, unitNormDecoder });
    }
    if (unitNormDecoder)
      for (const size of rowSizes(p.wDec as Tensor2D, blocks).dataSync()) expect(size).toBeCloseTo(1, 5);
    return dictionaryArrays(p);
  });
  const begun = arrays(want);
  for (const part of ['wEnc', 'bEnc', 'wDec', 'bDec', 'logThreshold'] as const) {
    const [a, b, before] = [found[part], expected[part], begun[part]];
    if (!a || !b || !before) continue;
    let [worst, moved] = [0, 0];
    for (let i = 0; i < b.length; i++) {
      worst = Math.max(worst, Math.abs(a[i] - b[i]));
      moved = Math.max(moved, Math.abs(b[i] - before[i]));
    }
    expect(moved).toBeGreaterThan(0.01);
    expect(worst).toBeLessThan(1e-4);
  }
});

function expectGradients(got: Partial<Record<string, Tensor | null>>, { gradients }: Case) {
  for (const name of parameterNames) {
    const expected = name in spelling ? gradients[spelling[name as keyof typeof spelling]] : undefined;
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
