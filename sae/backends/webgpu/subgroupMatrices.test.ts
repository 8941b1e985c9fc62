/**
 * Drivers that compute on the processor have no subgroup matrices. What is tested on them is the kernel's plain twin, which shares
 * everything but three calls, and that these compile; `subgroupMatricesLack` compares a product on the device before one is used.
 */
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { tf, type Tensor, type Tensor2D } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { findAdapter, subgroupMatrixFeature } from './adapter.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { HalfCopies } from './halfCopies.ts';
import { beginTopK, listCandidates } from './kernels/candidates.ts';
import { matrixProduct, matrixProductGroups } from './kernels/matrixProduct.ts';
import { product, productGroups, type ProductSize } from './kernels/product.ts';
import { Programs, sourceOf } from './programs.ts';
import { lack, subgroupMatricesLack } from './subgroupMatrices.ts';

const adapter = await adapterForTests('shader-f16');

const size: ProductSize = {
  batch: 1, rows: 70, firstRow: 9, columns: 150, columnsBefore: 31, depth: 72,
  a: { transposed: false, shared: false }, b: { transposed: true, shared: false },
  centred: false, biased: true, storage: 'f16', splits: 1,
}; // prettier-ignore

test('the calls of the extension compile', async () => {
  const require = createRequire(import.meta.url);
  const { create } = (await import(require.resolve('webgpu'))) as { create(options: string[]): GPU };
  // A driver of Dawn's that computes nothing, but compiles everything.
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const nothing = await gpu.requestAdapter();
  const requiredFeatures = [subgroupMatrixFeature, 'shader-f16', 'subgroups'] satisfies GPUFeatureName[];
  const device = await nothing?.requestDevice({ requiredFeatures });
  for (const destination of [undefined, listCandidates(2048, 0)]) {
    const shader = device?.createShaderModule({ code: sourceOf(matrixProduct(size, destination), true) });
    const { messages } = (await shader?.getCompilationInfo()) ?? {};
    expect([...(messages ?? [{ message: 'no compiler' }])].map(({ message }) => message)).toEqual([]);
  }
  device?.destroy();
});

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  test('the trial product is right by the plain twin, and the reason for what is missing is given', async () => {
    const { gpu } = await findAdapter();
    const { maxComputeWorkgroupStorageSize } = gpu.limits;
    const device = await gpu.requestDevice({
      requiredFeatures: ['shader-f16'],
      requiredLimits: { maxComputeWorkgroupStorageSize },
    });
    expect(await lack(device, 'plain')).toBeNull();
    device.destroy();
    const found = await findAdapter();
    if (!found.gpu.features.has(subgroupMatrixFeature))
      expect(await subgroupMatricesLack(found)).toMatch(/subgroup-matrix is missing/);
  });

  test('the plain twin computes what the other product does, in a matrix and as candidates', async () => {
    await startBackend('webgpu', { storage: 'f16' });
    const backend = tf.backend() as DeviceBackend;
    const programs = new Programs(backend, { subgroups: false });
    const copies = new HalfCopies(backend, programs, 'f16');
    tf.tidy(() => {
      const x = tf.randomNormal([90, 72], 0, 1, 'float32', 1) as Tensor2D;
      const w = tf.randomNormal([190, 72], 0, 1, 'float32', 2) as Tensor2D;
      const bias = tf.randomNormal([190], 0, 1, 'float32', 3);
      const operands = [copies.stored(x).tensor, copies.stored(w).tensor];
      const [plain, wanted] = [backend.scratch([70, 150], 'float32'), backend.scratch([70, 150], 'float32')];
      programs.run(product(size), [...operands, wanted, bias], productGroups(size));
      const twin = matrixProduct(size, undefined, 'plain');
      programs.run(twin, [...operands, plain, bias], matrixProductGroups(size));
      expect(wanted.abs().max().dataSync()[0]).toBeGreaterThan(10);
      expect(plain.sub(wanted).abs().max().dataSync()[0]).toBeLessThan(1e-4);

      // Of each row's candidates, as many are above a bound as the matrix has above it.
      const bounded = (make: (into: readonly Tensor[]) => void) => {
        const [best, bounds, counts] = [[70, 2], [70], [70]].map((s) => backend.scratch(s, 'int32'));
        const values = tf.mul(tf.ones([70]), 5);
        const chosen = [tf.zeros([70], 'int32'), values, best, bounds, counts];
        programs.run(beginTopK({ rows: 70, firstRow: 0, k: 1 }), chosen, 70);
        const candidates = backend.scratch([70, 150, 2], 'int32');
        make([bounds, counts, candidates]);
        return counts.dataSync();
      };
      const destination = listCandidates(150, 31);
      const counts = bounded((into) =>
        programs.run(
          matrixProduct(size, destination, 'plain'),
          [...operands, ...into, bias],
          matrixProductGroups(size),
        ),
      );
      const above = plain.greater(5).cast('int32').sum(1).dataSync();
      expect([...counts]).toEqual([...above]);
      expect(Math.max(...counts)).toBeGreaterThan(30);
    });
  });
});
