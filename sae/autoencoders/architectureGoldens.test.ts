/**
 * Losses, forward values and gradients against fixtures/architectures.json (float64, PyTorch's autograd; written by
 * scripts/peers/makeArchitectureGoldens.py), for the autodiff definitions and for the fused kernels of every backend that
 * starts here.
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
import { gated, gatedLoss } from './gated.ts';
import { matryoshkaLoss } from './matryoshka.ts';
import { matryoshkaTopKLoss } from './matryoshkaTopK.ts';
import { configuredArchitecture } from './implementations.ts';
import { denseFromEntries, firingEntries, sparseEntries } from '../ops/sparseEntries.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import { tf, type Scalar, type Tensor, type Tensor2D } from '../tensor/tf.ts';
import type { ForwardPass } from './architecture.ts';
import { autoencoderFrom } from './autoencoder.ts';
import { batchTopK, batchTopKLoss } from './batchTopK.ts';
import { type DictionaryArrays, dictionaryVariables, disposeDictionary, parameterNames } from './dictionary.ts'; // prettier-ignore

const adapter = await adapterForTests();
chooseCudaDeviceForTests();

interface Golden {
  shape: number[];
  data: number[];
}
type Gradients = Record<'W_enc' | 'b_enc' | 'W_dec' | 'b_dec', Golden> &
  Partial<Record<'r_mag' | 'b_mag', Golden>>;
interface Case {
  loss: number;
  f: Golden;
  x_hat: Golden;
  gradients: Gradients;
}
interface Goldens {
  k: number;
  alpha: number;
  dead: number[];
  x: Golden;
  parameters: Gradients;
  cases: {
    batchtopk: Case & { least: number; fvu: number; auxk: number };
    matryoshka: Case & { prefixes: number[]; nested: number; auxk: number };
    matryoshka_topk: Case & { prefixes: number[]; nested: number; auxk: number };
    gated: Case & {
      lambda: number;
      mse: number;
      sparsity: number;
      auxiliary: number;
      parameters: Partial<Gradients>;
    };
  };
}

const golden: Goldens = JSON.parse(
  readFileSync(new URL('fixtures/architectures.json', import.meta.url), 'utf8'),
);
const { k, alpha, dead } = golden;
const [rows, d] = golden.x.shape;
const spelling = {
  wEnc: 'W_enc',
  bEnc: 'b_enc',
  wDec: 'W_dec',
  bDec: 'b_dec',
  rMag: 'r_mag',
  bMag: 'b_mag',
} as const;
const spelled = Object.keys(spelling) as (keyof typeof spelling)[];

/** `own` are parameters that only the case has. */
const arrays = (own: Partial<Gradients> = {}): DictionaryArrays => {
  const all: Partial<Gradients> = { ...golden.parameters, ...own };
  const read = (name: keyof typeof spelling) => Float32Array.from(all[spelling[name]]?.data ?? []);
  return {
    wEnc: read('wEnc'),
    bEnc: read('bEnc'),
    wDec: read('wDec'),
    bDec: read('bDec'),
    logThreshold: null,
    ...(own.r_mag && { rMag: read('rMag'), bMag: read('bMag') }),
  };
};
const input = () => tf.tensor2d(Float32Array.from(golden.x.data), [rows, d]);
const batch = (): Batch => ({ x: input(), variance: varianceAboutMean(golden.x.data, d) });

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

  /** Autodiff of a definition, all parameters at once. */
  function expectDefinition(
    loss: (p: DictionaryTensors) => { loss: Scalar },
    want: Case & { parameters?: Partial<Gradients> },
  ) {
    const p = dictionaryVariables(arrays(want.parameters));
    const names = parameterNames.filter((name) => p[name]);
    expectNumber(loss(p as DictionaryTensors).loss.arraySync(), want.loss);
    const gradients = tf.grads((...values: Tensor[]) => {
      const named = { logThreshold: null, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) };
      return loss(named as unknown as DictionaryTensors).loss;
    })(names.map((name) => p[name] as Tensor));
    const byName = Object.fromEntries(names.map((name, i) => [name, gradients[i]]));
    expectGradients(byName, want);
    disposeDictionary(p);
  }
  function expectGradients(got: Partial<Record<string, Tensor | null>>, { gradients }: Case) {
    for (const name of spelled) {
      const [gradient, expected] = [got[name], gradients[spelling[name]]];
      if (expected) expectClose(gradient ?? tf.zeros([0]), expected);
      else expect(gradient ?? null).toBeNull();
    }
  }

  /** The fused forward pass. */
  async function expectPass(pass: ForwardPass, want: Case) {
    const { main } = pass.request;
    expectNumber((await pass.measure(true)).loss, want.loss);
    expectNumber(hostNumber(pass.squaredError), squares(want));
    const { entries } = main;
    const listed = entries.kind === 'sparse' ? firingEntries(copyOf(entries), null) : entries;
    expectClose(latentActivations(densePreActivations(listed), null), want.f);
    const blocks = main.prefixes?.length ?? 1;
    expectClose(main.error.slice([(blocks - 1) * rows, 0], [rows, d]).add(input()), want.x_hat);
    expectGradients({ ...fusedKernels().gradients(pass.request) }, want);
  }

  test('BatchTopK with AuxK', async () => {
    await startBackend(backend);
    const want = golden.cases.batchtopk;
    expectDefinition((p) => batchTopKLoss(p, input(), { k, alpha, dead }), want);
    const p = dictionaryVariables(arrays());
    const defined = batchTopKLoss(p as DictionaryTensors, input(), { k, alpha, dead });
    expectNumber(defined.fvu.arraySync(), want.fvu);
    expectNumber(defined.auxK.arraySync(), want.auxk);
    expectClose(defined.activations, want.f);
    expectClose(defined.reconstruction, want.x_hat);

    const config = { ...exampleConfig('batchtopk'), k, auxCoefficient: alpha, thresholdMomentum: 0.75 };
    const state = { threshold: 1, least: 0 };
    const settings = { sparsityCoefficient: 0, dead: Int32Array.from(dead), state };
    const pass = batchTopK.forward(fusedKernels(), p, batch(), config, settings);
    await expectPass(pass, want);
    for (const withLoss of [true, false]) {
      const { state: after } = await pass.measure(withLoss);
      expectNumber(after?.threshold ?? NaN, 0.75 + 0.25 * want.least);
      expectNumber(after?.least ?? NaN, want.least);
    }
    disposeDictionary(p);
  });

  test.each([
    { over: 'BatchTopK', name: 'matryoshka', define: matryoshkaLoss, want: golden.cases.matryoshka },
    { over: 'TopK', name: 'matryoshkatopk', define: matryoshkaTopKLoss, want: golden.cases.matryoshka_topk },
  ] as const)('Matryoshka over $over, with AuxK', async ({ name, define, want }) => {
    await startBackend(backend);
    const { prefixes } = want;
    expectDefinition((p) => define(p, input(), { k, alpha, dead, prefixes }), want);
    const p = dictionaryVariables(arrays());
    const defined = define(p as DictionaryTensors, input(), { k, alpha, dead, prefixes });
    expectNumber(defined.nested.arraySync(), want.nested);
    expectNumber(defined.auxK.arraySync(), want.auxk);
    expectClose(defined.activations, want.f);
    expectClose(defined.reconstruction, want.x_hat);

    const config = { ...exampleConfig(name), k, auxCoefficient: alpha, prefixes };
    const state = { threshold: -1, least: 0 };
    const settings = { sparsityCoefficient: 0, dead: Int32Array.from(dead), state };
    const pass = configuredArchitecture(config).forward(fusedKernels(), p, batch(), settings);
    await expectPass(pass, want);
    disposeDictionary(p);
  });

  test.each(backend === 'native' ? (['sparse', 'dense'] as const) : (['auto'] as const))(
    'Gated with its auxiliary loss, entries %s',
    async (entries) => {
      await startBackend(backend, { path: entries });
      const want = golden.cases.gated;
      expectDefinition((p) => gatedLoss(p, input(), want.lambda), want);
      const p = dictionaryVariables(arrays(want.parameters));
      const defined = gatedLoss(p as DictionaryTensors, input(), want.lambda);
      for (const name of ['mse', 'sparsity', 'auxiliary'] as const)
        expectNumber(defined[name].arraySync(), want[name]);
      expectClose(defined.activations, want.f);
      expectClose(defined.reconstruction, want.x_hat);

      const settings = { sparsityCoefficient: want.lambda, dead: new Int32Array(), state: {} };
      const pass = gated.forward(fusedKernels(), p, batch(), exampleConfig('gated'), settings);
      if (entries !== 'auto') expect(pass.request.main.entries.kind).toBe(entries);
      await expectPass(pass, want);
      disposeDictionary(p);
    },
  );

  test('a finished gated dictionary has the activations of the gated one', async () => {
    await startBackend(backend);
    const want = golden.cases.gated;
    const trained = configuredArchitecture(exampleConfig('gated')).trained(arrays(want.parameters), {});
    const [latents] = golden.parameters.b_enc.shape;
    const metadata = {
      architecture: 'gated',
      hook: '',
      model: '',
      run: '',
      seed: 0,
      scale: 1,
      k: null,
    } as const;
    const autoencoder = autoencoderFrom({ ...trained, metadata, latents, d });
    const { rowStart, indices, values } = autoencoder.encode(input());
    expectClose(denseFromEntries(sparseEntries(latents, rowStart, indices, values), 0), want.f);
    expectClose(autoencoder.reconstruct(input()), want.x_hat);
    autoencoder.dispose();
  });
});

/** ‖x − x̂‖² over the batch. */
const squares = ({ x_hat }: Case) =>
  x_hat.data.reduce((sum, value, i) => sum + (value - golden.x.data[i]) ** 2, 0);

const copyOf = <T extends { rowStart: Tensor; indices: Tensor; values: Tensor }>(entries: T): T => ({
  ...entries,
  rowStart: entries.rowStart.clone(),
  indices: entries.indices.clone(),
  values: entries.values.clone(),
});

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
