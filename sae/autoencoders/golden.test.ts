/**
 * Losses, forward values and gradients against `../shared/goldens/sae.json` (float64, PyTorch's autograd), for the
 * autodiff definitions and for the fused kernels of every backend that starts here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { chooseCudaDeviceForTests } from '../backends/cuda/cudaDeviceForTests.ts';
import { noSoftwareDevice } from '../backends/cuda/cudaForTests.ts';
import { startBackend } from '../backends/startBackend.ts';
import { adapterForTests } from '../backends/webgpu/adapterForTests.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { latentActivations, densePreActivations } from '../ops/denseActivations.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { StepSettings } from './architecture.ts';
import { type DictionaryArrays, dictionaryArrays, dictionaryVariables, disposeDictionary, zerosLike } from './dictionary.ts'; // prettier-ignore
import { jumpRelu, jumpReluLoss } from './jumpRelu.ts';
import { relu, reluLoss } from './relu.ts';
import { topK, topKLoss } from './topK.ts';
import { varianceAboutMean } from '../ops/varianceAboutMean.ts';
import { exampleConfig } from '../fixtures/exampleConfig.ts';

const adapter = await adapterForTests();
chooseCudaDeviceForTests();
const path = '../shared/goldens/sae.json';
const present = existsSync(path);

interface Golden {
  shape: number[];
  data: number[];
}
type GoldenParameters = Record<'W_enc' | 'b_enc' | 'W_dec' | 'b_dec' | 'log_threshold', Golden>;
interface Goldens {
  x: Golden;
  parameters: GoldenParameters;
  cases: {
    relu: { lambda: number; loss: number; mse: number; sparsity: number; l0: number; f: Golden; x_hat: Golden; gradients: GoldenParameters };
    topk: { k: number; alpha: number; dead: number[]; loss: number; fvu: number; auxk: number; indices_sorted_by_value: number[][]; values: Golden; x_hat: Golden; gradients: GoldenParameters };
    jumprelu: { lambda: number; bandwidth: number; loss: number; mse: number; l0: number; f: Golden; x_hat: Golden; gradients: GoldenParameters };
    relu_adam3: { lambda: number; lr: number; betas: [number, number]; eps: number; losses: number[]; parameters_after: GoldenParameters };
  };
} // prettier-ignore

const spelling = {
  wEnc: 'W_enc',
  bEnc: 'b_enc',
  wDec: 'W_dec',
  bDec: 'b_dec',
  logThreshold: 'log_threshold',
} as const;

const goldenNames = Object.keys(spelling) as (keyof typeof spelling)[];

describe.skipIf(!present)(
  `sae.json${present ? '' : ' (SKIPPED: ../shared/goldens/sae.json is not here)'}`,
  () => {
    const golden = (present ? JSON.parse(readFileSync(path, 'utf8')) : {}) as Goldens;

    describe.each(['cpu', 'native', 'cuda', 'webgpu'] as const)('%s backend', (backend) => {
      if (backend === 'cuda' && noSoftwareDevice) {
        test.skip(noSoftwareDevice, () => {});
        return;
      }
      if (backend === 'webgpu' && !adapter.found) {
        test.skip(adapter.description, () => {});
        return;
      }
      const arrays = (withThreshold: boolean): DictionaryArrays => {
        const read = (name: keyof typeof spelling) =>
          Float32Array.from(golden.parameters[spelling[name]].data);
        return {
          wEnc: read('wEnc'),
          bEnc: read('bEnc'),
          wDec: read('wDec'),
          bDec: read('bDec'),
          logThreshold: withThreshold ? read('logThreshold') : null,
        };
      };
      const input = () => tf.tensor2d(Float32Array.from(golden.x.data), [24, 12]);
      const batch = () => ({ x: input(), variance: varianceAboutMean(golden.x.data, 12) });
      const settings = (sparsityCoefficient = 0, dead: number[] = []): StepSettings => ({
        sparsityCoefficient,
        dead: Int32Array.from(dead),
        state: {},
      });

      function expectGradients(gradients: DictionaryTensors, expected: GoldenParameters) {
        for (const name of goldenNames) {
          const gradient = gradients[name];
          if (gradient) expectClose(gradient, expected[spelling[name]]);
        }
      }
      /** Autodiff of a definition, all parameters at once. */
      function differentiate(
        withThreshold: boolean,
        loss: (p: DictionaryTensors) => { loss: Scalar },
      ): DictionaryTensors {
        const p = dictionaryVariables(arrays(withThreshold));
        const names = goldenNames.filter((name) => p[name]);
        const inputs = names.map((name) => p[name] as Tensor);
        const gradients = tf.grads((...values: Tensor[]) => {
          const named = {
            logThreshold: null,
            ...Object.fromEntries(names.map((name, i) => [name, values[i]])),
          };
          return loss(named as DictionaryTensors).loss;
        })(inputs);
        return {
          logThreshold: null,
          ...Object.fromEntries(names.map((name, i) => [name, gradients[i]])),
        } as DictionaryTensors;
      }
      function variables(withThreshold: boolean) {
        return dictionaryVariables(arrays(withThreshold));
      }

      test('ReLU', async () => {
        await startBackend(backend);
        const { lambda, ...want } = golden.cases.relu;
        const p = variables(false);
        const defined = reluLoss(p as DictionaryTensors, input(), lambda);
        expectNumber(defined.loss.arraySync(), want.loss);
        expectNumber(defined.mse.arraySync(), want.mse);
        expectNumber(defined.sparsity.arraySync(), want.sparsity);
        expectClose(defined.activations, want.f);
        expectClose(defined.reconstruction, want.x_hat);
        expectGradients(
          differentiate(false, (q) => reluLoss(q, input(), lambda)),
          want.gradients,
        );

        const pass = relu.forward(fusedKernels(), p, batch(), exampleConfig('relu'), settings(lambda));
        const measured = await pass.measure(true);
        expectNumber(measured.loss, want.loss);
        expectNumber(measured.mse, want.mse);
        expect(measured.firings.reduce((a, b) => a + b) / 24).toBe(want.l0);
        expectClose(latentActivations(densePreActivations(pass.request.main.entries), null), want.f);
        expectClose(pass.request.main.error.add(input()), want.x_hat);
        expectGradients(fusedKernels().gradients(pass.request), want.gradients);
        disposeDictionary(p);
      });

      test('TopK with AuxK, whose gradient reaches the encoder', async () => {
        await startBackend(backend);
        const { k, alpha, dead, ...want } = golden.cases.topk;
        const p = variables(false);
        const defined = topKLoss(p as DictionaryTensors, input(), { k, alpha, dead });
        expectNumber(defined.loss.arraySync(), want.loss);
        expectNumber(defined.fvu.arraySync(), want.fvu);
        expectNumber(defined.auxK.arraySync(), want.auxk);
        expectClose(defined.reconstruction, want.x_hat);
        expectGradients(
          differentiate(false, (q) => topKLoss(q, input(), { k, alpha, dead })),
          want.gradients,
        );

        const config = { ...exampleConfig('topk'), k, auxCoefficient: alpha };
        const pass = topK.forward(fusedKernels(), p, batch(), config, settings(0, dead));
        expectNumber((await pass.measure(true)).loss, want.loss);
        const entries = pass.request.main.entries;
        if (entries.kind !== 'sparse') throw new Error('TopK makes a list');
        expect(entries.indices.shape[0]).toBe(24 * k);
        const found = [...entries.indices.dataSync()];
        expect(Array.from({ length: 24 }, (_, row) => found.slice(row * k, (row + 1) * k))).toEqual(
          want.indices_sorted_by_value.map((row) => [...row].sort((a, b) => a - b)),
        );
        const values = [...entries.values.dataSync()];
        expectClose(
          Array.from({ length: 24 }, (_, row) =>
            values.slice(row * k, (row + 1) * k).sort((a, b) => b - a),
          ).flat(),
          want.values,
        );
        expectClose(pass.request.main.error.add(input()), want.x_hat);
        const gradients = fusedKernels().gradients(pass.request);
        expectGradients(gradients, want.gradients);
        const withoutAux = fusedKernels().gradients({
          ...pass.request,
          auxiliary: null,
          auxiliaryRows: null,
        });
        const difference = gradients.wEnc.sub(withoutAux.wEnc).abs().max(1).arraySync() as number[];
        expect(dead.filter((latent) => difference[latent] > 1e-4).length).toBeGreaterThan(4);
        disposeDictionary(p);
      });

      test('JumpReLU with straight-through estimators', async () => {
        await startBackend(backend);
        const { lambda, bandwidth, ...want } = golden.cases.jumprelu;
        const p = variables(true);
        const options = { sparsityCoefficient: lambda, bandwidth, targetL0: null };
        const defined = jumpReluLoss(p as DictionaryTensors, input(), options);
        expectNumber(defined.loss.arraySync(), want.loss);
        expectNumber(defined.mse.arraySync(), want.mse);
        expectNumber(defined.l0.arraySync(), want.l0);
        expectClose(defined.activations, want.f);
        expectClose(defined.reconstruction, want.x_hat);
        expectGradients(
          differentiate(true, (q) => jumpReluLoss(q, input(), options)),
          want.gradients,
        );

        const config = { ...exampleConfig('jumprelu'), bandwidth, targetL0: null };
        const pass = jumpRelu.forward(fusedKernels(), p, batch(), config, settings(lambda));
        const measured = await pass.measure(true);
        expectNumber(measured.loss, want.loss);
        expect(measured.firings.reduce((a, b) => a + b) / 24).toBeCloseTo(want.l0, 10);
        const { threshold } = pass.request.jump ?? { threshold: null };
        expectClose(latentActivations(densePreActivations(pass.request.main.entries), threshold), want.f);
        expectClose(pass.request.main.error.add(input()), want.x_hat);
        expectGradients(fusedKernels().gradients(pass.request), want.gradients);
        disposeDictionary(p);
      });

      test('three Adam steps', async () => {
        await startBackend(backend);
        const { lambda, lr, betas, eps, losses, parameters_after } = golden.cases.relu_adam3;
        const p = variables(false);
        const moments = {
          first: dictionaryVariables(zerosLike(arrays(false))),
          second: dictionaryVariables(zerosLike(arrays(false))),
        };
        for (let step = 1; step <= 3; step++) {
          const pass = relu.forward(fusedKernels(), p, batch(), exampleConfig('relu'), settings(lambda));
          expectNumber((await pass.measure(true)).loss, losses[step - 1]);
          fusedKernels().update(pass.request, moments, {
            learningRate: lr,
            beta1: betas[0],
            beta2: betas[1],
            epsilon: eps,
            step,
            clipNorm: null,
            unitNormDecoder: false,
          });
          pass.dispose();
        }
        const after = dictionaryArrays(p);
        for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const)
          expectClose(after[name], parameters_after[spelling[name]]);
        disposeDictionary(p);
      });
    });
  },
);

/** 1e-5, relative to the larger of the number and 1. */
function expectNumber(got: number, want: number) {
  expect(Math.abs(got - want) / Math.max(1, Math.abs(want))).toBeLessThan(1e-5);
}

/** 1e-5, relative to the largest entry where that exceeds 1. */
function expectClose(got: Tensor | Tensor1D | Tensor2D | ArrayLike<number>, want: Golden) {
  const values = 'dataSync' in got ? got.dataSync() : got;
  expect(values.length).toBe(want.data.length);
  const size = Math.max(1, ...want.data.map(Math.abs));
  let worst = 0;
  for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(values[i] - want.data[i]));
  expect(worst / size).toBeLessThan(1e-5);
}
