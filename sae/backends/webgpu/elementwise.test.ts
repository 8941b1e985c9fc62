/** Special values by their bits, and powers beside numbers of twice the precision. */
import { expect, test } from 'vitest';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import { broadcastAxes } from './elementwise.ts';

const adapter = await adapterForTests();
if (adapter.found) await startBackend('webgpu');

/** NaN with a sign and with a payload too: comparisons must not take one for a number. */
const nans = new Float32Array(new Uint32Array([0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345]).buffer);

test.skipIf(!adapter.found)(`no function takes NaN for a number (${adapter.description})`, () => {
  tf.tidy(() => {
    const x = tf.tensor1d(nans.slice());
    const zero = tf.zeros([4]);
    const functions = [tf.relu, tf.relu6, tf.leakyRelu, tf.elu, tf.selu, tf.sigmoid, tf.softplus, tf.log1p, tf.step] as const; // prettier-ignore
    for (const f of functions) expect([...f(x).dataSync()], f.name).toEqual([NaN, NaN, NaN, NaN]);
    for (const f of [tf.maximum, tf.minimum, tf.pow] as const) {
      expect([...f(x, tf.ones([4])).dataSync()], f.name).toEqual([NaN, NaN, NaN, NaN]);
      expect([...f(zero.sub(1), x).dataSync()], f.name).toEqual([NaN, NaN, NaN, NaN]);
    }
    for (const f of [tf.greater, tf.greaterEqual, tf.less, tf.lessEqual, tf.equal] as const) {
      expect([...f(x, zero).dataSync()], f.name).toEqual([0, 0, 0, 0]);
      expect([...f(zero, x).dataSync()], f.name).toEqual([0, 0, 0, 0]);
    }
    expect([...tf.notEqual(x, x).dataSync()]).toEqual([1, 1, 1, 1]);
  });
});

test.skipIf(!adapter.found)('subnormal numbers are neither 0 nor one another', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1e-40, -1e-40, 0]);
    expect([...tf.sign(x).dataSync()]).toEqual([1, -1, 0]);
    expect([...tf.step(x, 0.5).dataSync()]).toEqual([1, 0.5, 0.5]);
    expect([...tf.less(x, tf.tensor1d([2e-40, -2e-40, -0])).dataSync()]).toEqual([1, 0, 0]);
    expect([...tf.equal(x, tf.tensor1d([1e-40, -2e-40, -0])).dataSync()]).toEqual([1, 0, 1]);
  });
});

test.skipIf(!adapter.found)(
  'powers of large and small numbers are right to some units in the last place',
  () => {
    tf.tidy(() => {
      const bases = [1e30, 3e-30, 1e-38, 7.5, 0.3, -2, -1e10];
      const exponents = [1, -1, 2, 0.5, -0.5, 1.25, 1 / 3, 3, -3, 0.01, 17, 1.9];
      const x = tf.tensor2d(bases, [bases.length, 1]);
      const y = tf.tensor2d(exponents, [1, exponents.length]);
      const [base, exponent] = [x.dataSync(), y.dataSync()];
      const got = tf.pow(x, y).dataSync();
      got.forEach((value, i) => {
        const [b, e] = [base[Math.floor(i / exponents.length)], exponent[i % exponents.length]];
        const want = Math.fround(b ** e);
        const name = `${b} to the ${e}`;
        if (Number.isNaN(want)) expect(value, name).toBeNaN();
        else if (!Number.isFinite(want)) expect(value, name).toBe(want);
        else if (Math.abs(want) < 2 ** -126) expect(Math.abs(value), name).toBeLessThan(2 ** -125);
        else expect(Math.abs(value / want - 1), `${name} is ${value}, not ${want}`).toBeLessThan(2e-6);
      });
      expect(got[0]).toBe(Math.fround(1e30));
    });
  },
);

test('axes that are broadcast alike become one', () => {
  expect(broadcastAxes([5, 7], [5, 7], [5, 7])).toEqual([{ length: 35, left: 1, right: 1 }]);
  expect(broadcastAxes([5, 7], [5, 7], [])).toEqual([{ length: 35, left: 1, right: 0 }]);
  expect(broadcastAxes([5, 7], [5, 7], [7])).toEqual([
    { length: 5, left: 7, right: 0 },
    { length: 7, left: 1, right: 1 },
  ]);
  expect(broadcastAxes([2, 3, 5, 7], [2, 1, 5, 1], [1, 3, 1, 7])).toEqual([
    { length: 2, left: 5, right: 0 },
    { length: 3, left: 0, right: 7 },
    { length: 5, left: 1, right: 0 },
    { length: 7, left: 0, right: 1 },
  ]);
  expect(broadcastAxes([1, 1], [1], [1, 1])).toEqual([{ length: 1, left: 0, right: 0 }]);
});
