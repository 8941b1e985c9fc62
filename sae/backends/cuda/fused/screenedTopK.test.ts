/** Choosing by a product in bfloat16 first: nothing that belongs to the k largest may be missed, whatever the numbers are. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { gradientRequest, Inputs } from '../../../fixtures/fusedInputs.ts';
import type { Encoder } from '../../../ops/fusedKernels.ts';
import type { SparseEntries } from '../../../ops/sparseEntries.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import { startBackend } from '../../startBackend.ts';
import { chooseCudaDeviceForTests } from '../cudaDeviceForTests.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import { cudaFusedKernels } from '../fused.ts';
import type { Screening } from '../screening.ts';

chooseCudaDeviceForTests();
vi.setConfig({ testTimeout: 120_000 });

let backend: CudaBackend;
beforeAll(async () => {
  await startBackend('cuda');
  backend = tf.backend() as CudaBackend;
});
afterEach(() => vi.restoreAllMocks());

const table = (screening: Screening) => cudaFusedKernels(backend, { screening });
const arrays = ({ indices, values }: SparseEntries) => ({
  indices: [...indices.dataSync()],
  values: [...values.dataSync()],
});

/** Leaves out the kernel for rows that screening doesn't decide, so that a result is right only if there are none. */
function withoutFallback(): { launched: () => number } {
  const run = backend.programs.run.bind(backend.programs);
  let launched = 0;
  vi.spyOn(backend.programs, 'run').mockImplementation((request, launch, args) => {
    if (request.name === 'screenedTopK') launched++;
    if (request.name !== 'topOfFlagged') run(request, launch, args);
  });
  return { launched: () => launched };
}

/** z of one row in double precision. */
function exact(x: ArrayLike<number>, encoder: Encoder): Float64Array {
  const [latents, d] = encoder.wEnc.shape;
  const [w, b, c] = [encoder.wEnc.dataSync(), encoder.bEnc.dataSync(), encoder.centre?.dataSync()];
  return Float64Array.from({ length: latents }, (_, i) => {
    let z = b[i];
    for (let j = 0; j < d; j++) z += Math.fround(x[j] - (c?.[j] ?? 0)) * w[i * d + j];
    return z;
  });
}

const [rows, latents] = [6, 3000];

describe.each([
  ['rows of one size', 1, 0, 0],
  ['rows of W_enc from 0.03 to 30', 3.5, 0, 0],
  ['biases as large as the products', 0, 20, 0],
  ['inputs far from 0', 0, 0, 30],
] as const)('%s', (_, spread, biasScale, offset) => {
  test.each([
    [24, 32],
    [37, 5],
    [24, 200],
  ])('d = %i, k = %i', (d, k) => {
    const inputs = new Inputs();
    const sizes = tf.exp(tf.mul(inputs.normals([latents, 1]), spread / 2)) as Tensor2D;
    const encoder = {
      wEnc: inputs.normals<Tensor2D>([latents, d]).mul<Tensor2D>(sizes),
      bEnc: inputs.normals<Tensor1D>([latents], biasScale),
      centre: inputs.normals<Tensor1D>([d]),
    };
    const x = inputs.normals<Tensor2D>([rows, d]).add<Tensor2D>(offset);
    const fallback = withoutFallback();
    const got = table('always').topKEncode(x, encoder, k);
    expect(fallback.launched()).toBe(1);
    const [indices, values] = [got.indices.dataSync(), got.values.dataSync()];
    const xs = x.dataSync();
    for (let row = 0; row < rows; row++) {
      const z = exact(xs.slice(row * d, (row + 1) * d), encoder);
      const order = [...z.keys()].sort((a, b) => z[b] - z[a]);
      const kth = z[order[k - 1]];
      const own = new Set(indices.slice(row * k, (row + 1) * k));
      expect(own.size).toBe(k);
      const rounding = 1e-5 * Math.abs(z[order[0]]);
      for (const latent of own) expect(z[latent]).toBeGreaterThan(kth - rounding);
      for (let j = 0; j < k; j++) {
        const at = row * k + j;
        expect(Math.abs(values[at] - z[indices[at]])).toBeLessThan(rounding);
        if (j > 0) expect(indices[at]).toBeGreaterThan(indices[at - 1]);
      }
    }
  });
});

test('rows that screening leaves undecided are chosen from all pre-activations, to the same bits', () => {
  const inputs = new Inputs();
  // The rows: one decided, one of NaN, one with few positive activations, one where all latents are equal.
  const x = tf.concat([
    inputs.normals<Tensor2D>([1, 8]),
    tf.mul(tf.ones([1, 8]), NaN),
    tf.mul(tf.ones([1, 8]), -4),
    tf.zeros([1, 8]),
  ]) as Tensor2D;
  const w = tf.abs(inputs.normals([latents, 8])).sub<Tensor2D>(0.2);
  const encoder = { wEnc: w, bEnc: tf.mul<Tensor1D>(tf.ones([latents]), 0.5), centre: null };
  const got = arrays(table('always').topKEncode(x, encoder, 20));
  const want = arrays(table('never').topKEncode(x, encoder, 20));
  expect(got.indices).toEqual(want.indices);
  got.values.forEach((value, i) => {
    if (Number.isNaN(want.values[i])) expect(value).toBeNaN();
    else expect(value).toBeCloseTo(want.values[i], 4);
  });
});

test('the copy of W_enc changes with it, by updates from lists and from matrices and by assignment', () => {
  const kernels = table('always');
  for (const form of ['list', 'matrix'] as const) {
    const { made, parameters } = gradientRequest(new Inputs(), [9, 21, 300], { form });
    const { wEnc, bEnc } = made.parameters;
    const encoder = { wEnc: wEnc as Tensor2D, bEnc: bEnc as Tensor1D, centre: null };
    const same = () => {
      const [a, b] = [kernels, table('always')].map((each) => arrays(each.topKEncode(made.x, encoder, 9)));
      expect(a).toEqual(b);
      return a;
    };
    withoutFallback();
    const before = same();
    const moments = { first: parameters(0), second: parameters(0) };
    const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-6, clipNorm: null, unitNormDecoder: true };
    kernels.update(made, moments, { ...adam, learningRate: 0.3, step: 1 });
    const after = same();
    expect(after).not.toEqual(before);
    bEnc.assign(tf.mul(bEnc, -1));
    expect(same()).not.toEqual(after);
    vi.restoreAllMocks();
  }
});
