/** With storage bf16, decoders are read from copies in bfloat16, which change with them. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { gradientRequest, Inputs } from '../../../fixtures/fusedInputs.ts';
import { trainUntil } from '../../../fixtures/smallRuns.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import { startBackend } from '../../startBackend.ts';
import { chooseCudaDeviceForTests } from '../cudaDeviceForTests.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import { cudaFusedKernels } from '../fused.ts';

chooseCudaDeviceForTests();
vi.setConfig({ testTimeout: 120_000 });

let backend: CudaBackend;
beforeAll(async () => {
  await startBackend('cuda', { storage: 'bf16' });
  backend = tf.backend() as CudaBackend;
});
afterAll(() => startBackend('cuda'));

/** A number rounded to 8 bits of mantissa, by its last bits. */
function rounded(value: number): number {
  const word = new Uint32Array(Float32Array.of(value).buffer)[0];
  const even = (word >>> 16) & 1;
  return new Float32Array(Uint32Array.of((word + 0x7fff + even) & 0xffff0000).buffer)[0];
}

test.each([
  [5, 21],
  [9, 64],
])('%i rows, d = %i: the error is that of the rounded decoder', (rows, d) => {
  const inputs = new Inputs();
  const entries = inputs.entries(rows, 90, 0.3);
  const wDec = inputs.normals<Tensor2D>([90, d]);
  const narrow = tf.tensor2d(Float32Array.from(wDec.dataSync(), rounded), [90, d]);
  const [bias, target] = [inputs.normals<Tensor1D>([d]), inputs.normals<Tensor2D>([rows, d])];
  const prefixes = Int32Array.of(13, 90);
  const run = (w: Tensor2D) => {
    const kernels = cudaFusedKernels(backend);
    const { error, dots } = kernels.reconstruct(entries, null, { wDec: w, bias }, target);
    const nested = kernels.reconstructNested(entries, prefixes, { wDec: w, bias }, target);
    return [error, dots, nested.errors, nested.dots].map((tensor) => [...tensor.dataSync()]);
  };
  const got = run(wDec);
  backend.storage = 'f32';
  const [want, unrounded] = [run(narrow), run(wDec)];
  backend.storage = 'bf16';
  got.forEach((values, i) => {
    values.forEach((value, j) => expect(Math.abs(value - want[i][j])).toBeLessThan(1e-3));
    expect(values).not.toEqual(unrounded[i]);
  });
});

test('the copy of W_dec changes with it', () => {
  const kernels = cudaFusedKernels(backend);
  for (const form of ['list', 'matrix'] as const) {
    const { made, parameters } = gradientRequest(new Inputs(), [9, 21, 50], { form });
    const entries = new Inputs().entries(9, 50, 0.4);
    const decoder = {
      wDec: made.parameters.wDec as Tensor2D,
      bias: made.parameters.bDec as Tensor1D,
    };
    const same = () => {
      const [a, b] = [kernels, cudaFusedKernels(backend)].map((table) => [
        ...table.reconstruct(entries, null, decoder, made.x).error.dataSync(),
      ]);
      expect(a).toEqual(b);
      return a;
    };
    const before = same();
    const moments = { first: parameters(0), second: parameters(0) };
    const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-6, clipNorm: null, unitNormDecoder: true };
    kernels.update(made, moments, { ...adam, learningRate: 0.1, step: 1 });
    expect(same()).not.toEqual(before);
  }
});

test('training ends within 1 % of where it ends in 32 bits', async () => {
  const narrow = (await trainUntil('topk', 60)).losses;
  await startBackend('cuda');
  const want = (await trainUntil('topk', 60)).losses;
  expect(narrow).not.toEqual(want);
  const mean = (losses: number[]) => losses.slice(30).reduce((sum, loss) => sum + loss, 0) / 30;
  expect(Math.abs(mean(narrow) / mean(want) - 1)).toBeLessThan(0.01);
});
