/**
 * Every fused CUDA kernel, on the device in software unless LAZYSCOPE_CUDA_DEVICE names another, against the reference kernel on TF.js's plain backend. Every
 * case runs on all rows at once and on blocks of few, to the same bits.
 */
import { describe, test, vi } from 'vitest';
import { describeFusedKernels, expectSame, shapes } from '../../fixtures/fusedCases.ts';
import { gradientRequest, type Inputs } from '../../fixtures/fusedInputs.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import type { Entries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaFusedKernels } from './fused.ts';

process.env.LAZYSCOPE_CUDA_DEVICE ??= 'software';

/** The same kernels, choosing from small blocks of rows, and with screening wherever it is possible or nowhere. */
let tables: readonly FusedKernels[] | undefined;
const device = {
  backend: 'cuda',
  others: () =>
    (tables ??= (['never', 'always'] as const).map((screening) =>
      cudaFusedKernels(tf.backend() as CudaBackend, { blockBytes: 2048, screening }),
    )),
} as const;

describe('on the device', () => {
  // Each kernel is compiled for each width, on a machine that may be busy.
  vi.setConfig({ testTimeout: 240_000 });

  describeFusedKernels(device);

  describe('nested reconstructions', () => {
    test.each([...shapes.slice(1), [6, 600, 40, 0] as const])(
      '%i rows, d = %i, %i latents',
      (rows, d, latents) =>
        expectSame(
          device,
          (kernels, inputs) => {
            const entries = inputs.entries(rows, latents, 0.4);
            const ends = [Math.ceil(latents / 7), Math.ceil(latents / 2), latents];
            const prefixes = Int32Array.from(new Set(ends));
            const [wDec, bias] = [inputs.normals<Tensor2D>([latents, d]), inputs.normals<Tensor1D>([d])];
            const nested = kernels.reconstructNested(
              entries,
              prefixes,
              { wDec, bias },
              inputs.normals([rows, d]),
            );
            const { made } = gradientRequest(inputs, [rows, d, latents], { form: 'list', auxiliary: true });
            const main = { ...made.main, entries, error: nested.errors, dots: nested.dots, prefixes };
            return { ...nested, ...kernels.gradients({ ...made, main }) };
          },
          5e-5,
        ),
    );
  });

  describe('a gate', () => {
    const gated = (inputs: Inputs, size: readonly [number, number, number]) => {
      const { made, parameters } = gradientRequest(inputs, size, { form: 'list' });
      const [, , latents] = size;
      const { entries } = made.main;
      const vector = () => inputs.normals<Tensor1D>([latents]);
      const variables = () => ({
        ...parameters(0),
        rMag: tf.variable(tf.zeros([latents]), false),
        bMag: tf.variable(tf.zeros([latents]), false),
      });
      const own = {
        ...made.parameters,
        rMag: tf.variable(vector(), false),
        bMag: tf.variable(vector(), false),
      };
      const gate = {
        entries: { ...entries, values: inputs.normals(entries.values.shape) } as Entries,
        dots: inputs.normals<Tensor1D>(entries.values.shape),
        scale: 0.6,
        l1: 0.11,
        gain: tf.exp(own.rMag) as Tensor1D,
      };
      return { request: { ...made, parameters: own, gate }, variables };
    };

    test.each(shapes)('gradients: %i rows, d = %i, %i latents', (rows, d, latents) =>
      expectSame(
        device,
        (kernels, inputs) => {
          const made = kernels.gradients(gated(inputs, [rows, d, latents]).request);
          return Object.fromEntries(Object.entries(made).map(([name, value]) => [name, value ?? null]));
        },
        2e-5,
      ),
    );

    test.each([null, 0.5])('two Adam steps, clipped to a norm of %s', (clipNorm) =>
      expectSame(
        device,
        (kernels, inputs) => {
          const { request, variables } = gated(inputs, [40, 70, 45]);
          const moments = { first: variables(), second: variables() };
          const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, clipNorm };
          for (const step of [1, 2])
            kernels.update(request, moments, { ...settings, step, unitNormDecoder: true });
          const { rMag, bMag, bEnc } = request.parameters;
          return { rMag, bMag, bEnc, first: moments.first.rMag, second: moments.second.bMag };
        },
        1e-4,
      ),
    );
  });
});
