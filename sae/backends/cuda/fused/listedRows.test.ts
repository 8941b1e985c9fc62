/** Thresholds and the largest of a batch by screening: the same entries as without, whatever the numbers are. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Inputs } from '../../../fixtures/fusedInputs.ts';
import { hostNumber } from '../../../ops/computed.ts';
import { firingEntries, type SparseEntries } from '../../../ops/sparseEntries.ts';
import { referenceKernels } from '../../../ops/referenceKernels.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../../tensor/tf.ts';
import { startBackend } from '../../startBackend.ts';
import { chooseCudaDeviceForTests } from '../cudaDeviceForTests.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import { cudaFusedKernels } from '../fused.ts';

chooseCudaDeviceForTests();
vi.setConfig({ testTimeout: 120_000 });

let backend: CudaBackend;
beforeAll(async () => {
  await startBackend('cuda');
  backend = tf.backend() as CudaBackend;
});
afterEach(() => vi.restoreAllMocks());

const screened = (blockBytes = 2 ** 30) => cudaFusedKernels(backend, { screening: 'always', blockBytes });
const arrays = ({ rowStart, indices, values }: SparseEntries) => ({
  rowStart: [...rowStart.dataSync()],
  indices: [...indices.dataSync()],
  values: [...values.dataSync()],
});

/** Small integers, which every product multiplies exactly, so that results must be equal to the bit. */
function integers(rows: number, d: number, latents: number, shift: number) {
  const inputs = new Inputs();
  const wide = inputs.encoder(latents, d, 'integers');
  const encoder = { ...wide, bEnc: wide.bEnc.add<Tensor1D>(shift) };
  return { x: inputs.integers<Tensor2D>([rows, d]), encoder };
}

const shapes = [
  [3, 5, 31, -10],
  [40, 32, 700, -40],
  [7, 300, 48, -150],
  [4, 16, 4500, -45],
] as const;

describe.each(shapes)('%i rows, d = %i, %i latents', (rows, d, latents, shift) => {
  test.each([
    ['θ = 0', null, 0],
    ['thresholds and a band below them', 4, 6],
    ['thresholds some of which are NaN or below 0', NaN, 2],
  ] as const)('%s', (_, spread, bandwidth) => {
    const { x, encoder } = integers(rows, d, latents, shift);
    const threshold =
      spread === null
        ? null
        : tf.tensor1d(Array.from({ length: latents }, (__, i) => (i % 5 === 1 ? spread : (i % 9) - 3)));
    const want = arrays(
      firingEntries(
        referenceKernels.thresholdEncode(x, encoder),
        threshold && threshold.sub<Tensor1D>(bandwidth / 2),
      ),
    );
    for (const blockBytes of [2 ** 30, 2048]) {
      const run = vi.spyOn(backend.programs, 'run');
      const expected = want.indices.length;
      const choice = { path: 'sparse' } as const;
      const kernels = cudaFusedKernels(backend, { screening: 'always', blockBytes, choice });
      const found = kernels.thresholdEncode(x, encoder, { threshold, bandwidth, expected });
      if (found.kind !== 'sparse') throw new Error('expected a list');
      expect(run.mock.calls.some(([{ name }]) => name === 'screenedAbove')).toBe(true);
      vi.restoreAllMocks();
      const got = arrays(found);
      expect(hostNumber(found.listed?.count ?? -1)).toBe(expected);
      expect(got.rowStart).toEqual(want.rowStart);
      expect(got.indices.slice(0, expected)).toEqual(want.indices);
      expect(got.values.slice(0, expected)).toEqual(want.values);
    }
  });

  test.each([1, 4, latents / 2])('the largest of the batch, %d a row', (each) => {
    const { x, encoder } = integers(rows, d, latents, 0);
    const count = Math.ceil(each * rows);
    const want = referenceKernels.batchTopKEncode(x, encoder, { count });
    for (const blockBytes of [2 ** 30, 2048]) {
      const got = screened(blockBytes).batchTopKEncode(x, encoder, { count });
      const wanted = arrays(want.entries);
      const found = arrays(got.entries);
      const kept = wanted.indices.length;
      expect(found.rowStart).toEqual(wanted.rowStart);
      expect(found.indices.slice(0, kept)).toEqual(wanted.indices);
      expect(found.values.slice(0, kept)).toEqual(wanted.values);
      expect(hostNumber(got.least)).toBe(hostNumber(want.least));
    }
  });
});

describe('room for candidates', () => {
  const spied = (kernels: ReturnType<typeof cudaFusedKernels>, shift: number) => {
    const { x, encoder } = integers(5, 24, 6000, shift);
    const want = arrays(firingEntries(referenceKernels.thresholdEncode(x, encoder), null));
    const run = vi.spyOn(backend.programs, 'run');
    const expected = want.indices.length;
    const found = kernels.thresholdEncode(x, encoder, { threshold: null, bandwidth: 0, expected });
    const capacities = run.mock.calls
      .filter(([{ name }]) => name === 'screenedAbove')
      .map(([{ define }]) => define?.CAPACITY);
    vi.restoreAllMocks();
    if (found.kind !== 'sparse') throw new Error('expected a list');
    const got = arrays(found);
    expect(got.rowStart).toEqual(want.rowStart);
    expect(got.indices.slice(0, expected)).toEqual(want.indices);
    expect(got.values.slice(0, expected)).toEqual(want.values);
    return { each: expected / 5, capacities };
  };

  test.each([
    [-60, 1024],
    [-37, 2048],
    [-30, 4096],
  ])('grows with what is listed of a row (biases about %i: room for %i)', (shift, capacity) => {
    const choice = { path: 'sparse' } as const;
    const { each, capacities } = spied(cudaFusedKernels(backend, { screening: 'always', choice }), shift);
    expect(capacities).toEqual([capacity]);
    expect(4 * each).toBeLessThanOrEqual(capacity);
    if (capacity > 1024) expect(4 * each).toBeGreaterThan(capacity / 2);
  });

  test('is not made where computing the candidates would take longer than computing everything', () => {
    const choice = { path: 'sparse' } as const;
    const kernels = cudaFusedKernels(backend, { screening: 'whereItPays', choice });
    expect(spied(kernels, -30).capacities).toEqual([]);
    expect(spied(kernels, -60).capacities).toEqual([1024]);
  });
});

describe('rows that screening leaves undecided', () => {
  /** A row of NaN, a row that exceeds everything, and usual rows. */
  function unusual() {
    const inputs = new Inputs();
    const x = tf.concat([
      inputs.integers<Tensor2D>([2, 8]),
      tf.mul(tf.ones([1, 8]), NaN),
      tf.mul(tf.ones([1, 8]), 1000),
      inputs.integers<Tensor2D>([2, 8]),
    ]) as Tensor2D;
    const wEnc = tf.abs(inputs.integers([3000, 8])) as Tensor2D;
    return { x, encoder: { wEnc, bEnc: tf.mul<Tensor1D>(tf.ones([3000]), -18), centre: null } };
  }

  test('thresholds', () => {
    const { x, encoder } = unusual();
    const want = arrays(firingEntries(referenceKernels.thresholdEncode(x, encoder), null));
    const choice = { path: 'sparse' } as const;
    const kernels = cudaFusedKernels(backend, { screening: 'always', choice });
    const expected = want.indices.length / 4;
    const selection = { threshold: null, bandwidth: 0, expected };
    const found = kernels.thresholdEncode(x, encoder, selection);
    if (found.kind !== 'sparse') throw new Error('expected a list');
    // More than was expected: the list is cut off, and says so.
    const most = found.listed?.most ?? 0;
    expect(hostNumber(found.listed?.count ?? 0)).toBe(want.indices.length);
    expect(arrays(found).rowStart).toEqual(want.rowStart.map((start) => Math.min(start, most)));
    const kept = Math.min(most, want.indices.length);
    expect(arrays(found).indices.slice(0, kept)).toEqual(want.indices.slice(0, kept));
    expect(arrays(found).values.slice(0, kept)).toEqual(want.values.slice(0, kept));
  });

  test('the largest of a batch', () => {
    const { x, encoder } = unusual();
    for (const count of [10, 1500]) {
      const want = referenceKernels.batchTopKEncode(x, encoder, { count });
      const got = screened().batchTopKEncode(x, encoder, { count });
      expect(arrays(got.entries)).toEqual(arrays(want.entries));
      expect(hostNumber(got.least)).toBe(hostNumber(want.least));
    }
  });
});
