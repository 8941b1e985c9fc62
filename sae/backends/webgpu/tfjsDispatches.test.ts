/** TF.js's kernels find uniforms and groups of bindings that are kept, and compute the same as before. */
import { beforeAll, describe, expect, test } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';

const adapter = await adapterForTests();

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  beforeAll(() => startBackend('webgpu'));

  test('more different uniforms than are kept, in commands that are submitted together with those that come again', () => {
    const x = tf.range(0, 3000);
    const slices = () =>
      tf.tidy(() => {
        const parts = Array.from({ length: 700 }, (_, i) => x.slice([2 * i], [i % 9 === 0 ? 2 : 1]));
        return tf.concat(parts).dataSync();
      });
    const want = Float32Array.from(
      Array.from({ length: 700 }, (_, i) => (i % 9 === 0 ? [2 * i, 2 * i + 1] : [2 * i])).flat(),
    );
    for (let round = 0; round < 3; round++) expect(slices()).toEqual(want);
    x.dispose();
  });

  test('the two zeros are different numbers', () => {
    const { fill } = tf;
    const filled = [0, -0, 0].map((value) => tf.tidy(() => fill([40], value).dataSync()[39]));
    expect(filled.map((value) => Object.is(value, -0))).toEqual([false, true, false]);
  });
});
