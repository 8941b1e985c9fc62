/** The kernels of numbers give the bits of single precision. */
import { beforeAll, describe, expect, test } from 'vitest';
import { runKernel } from '../../ops/fusedKernel.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  beforeAll(() => startBackend('webgpu'));

  test.each([
    [3, 5],
    [4, 8],
    [1, 1],
    [700, 33],
  ])('a batch [%i, %i] is scaled to the bit', (rows, d) => {
    const values = Float32Array.from({ length: rows * d }, (_, i) => Math.sin(i * 1.7) * 10 ** ((i % 9) - 4));
    const factor = 0.737_213;
    const { x } = fusedKernels().scaledBatch(values, d, factor);
    expect(x.shape).toEqual([rows, d]);
    expect(x.dataSync()).toEqual(values.map((value) => value * Math.fround(factor)));
  });

  test.each([
    [2, 3],
    [2, -7.5],
    [-1, 0.1],
    [2, 0],
    [2, -0],
  ])('%d over %d, and 0 over 0', (numerator, denominator) => {
    const got = tf.tidy(
      () => runKernel('QuotientOrZero', { denominator: tf.scalar(denominator) }, { numerator }).dataSync()[0],
    );
    const want = denominator === 0 ? 0 : numerator / Math.fround(denominator);
    // Division is right to 2.5 units in the last place (WGSL, §15.7.4.1).
    expect(Math.abs(got - want)).toBeLessThanOrEqual(2.5 * 2 ** -23 * Math.abs(want));
  });
});
