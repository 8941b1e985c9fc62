import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { cudaForTests, noSoftwareDevice } from './cudaForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { bfloat16, deviceRates } from './deviceRates.ts';
import type { Product } from './products.ts';

const random = Random.fromSeed(5, 'products');
const widened = (bits: Uint16Array) => new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);

describe.skipIf(noSoftwareDevice)(`on the software device${noSoftwareDevice}`, () => {
  let backend: CudaBackend;
  beforeAll(async () => void (backend = await cudaForTests()));

  /** What the product should be, in double precision, on what is stored; elements outside of it stay. */
  function expected(p: Omit<Product, 'a' | 'b' | 'c'>, a: Float32Array, b: Float32Array, c: Float32Array) {
    const { m, n, k, transposeA = false, transposeB = false, batch = 1, alpha = 1, beta = 0 } = p;
    const { aOffset = 0, bOffset = 0, cOffset = 0 } = p;
    const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n } = p;
    const { strideA = m * k, strideB = k * n, strideC = m * n } = p;
    const result = Float64Array.from(c);
    for (let q = 0; q < batch; q++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let t = 0; t < k; t++)
            sum +=
              a[aOffset + q * strideA + (transposeA ? t * lda + i : i * lda + t)] *
              b[bOffset + q * strideB + (transposeB ? j * ldb + t : t * ldb + j)];
          const at = cOffset + q * strideC + i * ldc + j;
          result[at] = alpha * sum + (beta === 0 ? 0 : beta * c[at]);
        }
    return result;
  }

  const shapes: Record<string, Partial<Product>> = {
    plain: {},
    'a transposed': { transposeA: true },
    'b transposed': { transposeB: true },
    'both transposed': { transposeA: true, transposeB: true },
    'alpha and beta': { alpha: -0.5, beta: 2 },
    'rows with gaps, from the middle': { lda: 31, ldb: 41, ldc: 23, aOffset: 3, bOffset: 5, cOffset: 7 },
    'a batch that shares b': { batch: 3, strideB: 0 },
    'a batch with gaps, transposed': { batch: 3, transposeA: true, strideA: 999, strideB: 888, strideC: 777 },
    'a part of both, transposed': {
      transposeB: true,
      transposeA: true,
      lda: 40,
      ldb: 50,
      ldc: 60,
      aOffset: 1,
    },
    'one row': { m: 1 },
    'one column': { n: 1 },
    'nothing to add': { k: 0 },
    'nothing to add, beside what stays': { k: 0, ldc: 29, batch: 2, strideC: 600 },
    'nothing to add to what stays': { k: 0, beta: 1 },
  };
  const tolerance = { f32: 1e-5, tf32: 2e-2, bf16: 1e-5 } as const;

  describe.each(Object.entries(shapes))('%s', (_, shape) => {
    test.each(['f32', 'tf32', 'bf16'] as const)('in %s', (type) => {
      const request = { m: 13, n: 19, k: 27, type, ...shape };
      const values = (count: number) => random.normals(count);
      const [a, b, c] = [values(4000), values(4000), values(4000)];
      const stored = (x: Float32Array) => (type === 'bf16' ? bfloat16(x) : x);
      const seen = (x: Float32Array) => (type === 'bf16' ? widened(bfloat16(x)) : x);
      const buffers = [stored(a), stored(b), c].map((x) => backend.transfers.uploaded(x));
      backend.products.multiply({ ...request, a: buffers[0], b: buffers[1], c: buffers[2] });
      const got = new Float32Array(c.length);
      backend.transfers.download(buffers[2], got);
      const want = expected(request, seen(a), seen(b), c);
      const wrong = got.findIndex((value, i) => !(Math.abs(value - want[i]) <= tolerance[type] * 8));
      expect({ wrong, got: got[wrong], want: want[wrong] }).toEqual({
        wrong: -1,
        got: undefined,
        want: undefined,
      });
      for (const buffer of buffers) backend.give(buffer);
    });
  });

  test('a result in bf16 is the rounded one', () => {
    const [a, b] = [bfloat16(random.normals(8 * 16)), bfloat16(random.normals(16 * 24))];
    const buffers = [a, b, new Uint16Array(8 * 24)].map((x) => backend.transfers.uploaded(x));
    backend.products.multiply({
      m: 8, n: 24, k: 16, a: buffers[0], b: buffers[1], c: buffers[2], type: 'bf16', outType: 'bf16',
    }); // prettier-ignore
    const got = new Uint16Array(8 * 24);
    backend.transfers.download(buffers[2], got);
    const want = expected(
      { m: 8, n: 24, k: 16, type: 'bf16' },
      widened(a),
      widened(b),
      new Float32Array(8 * 24),
    );
    for (const [i, value] of widened(got).entries())
      expect(Math.abs(value - want[i])).toBeLessThanOrEqual(2 ** -8 * Math.abs(want[i]) + 1e-6);
    for (const buffer of buffers) backend.give(buffer);
  });

  test('the rates are measured on products that are right, and all memory is given back', () => {
    const before = backend.memoryPool.bytes.used;
    const { productMs, copyGBs } = deviceRates(backend, { rows: 33, depth: 65, columns: 9_000 });
    for (const rate of [...Object.values(productMs), copyGBs]) expect(rate).toBeGreaterThan(0);
    expect(backend.memoryPool.bytes.used).toBe(before);
  });
});

test('bf16 is rounded to nearest, ties to even', () => {
  const values = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -2.5, 1e-40, 3.4e38);
  expect([...widened(bfloat16(values))]).toEqual([1, 1, 1 + 2 ** -6, -2.5, 9.183549615799121e-41, Infinity]);
});
