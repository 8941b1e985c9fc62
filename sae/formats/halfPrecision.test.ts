import { expect, test } from 'vitest';
import { bfloat16ToFloat32, float32ToBfloat16 } from './bfloat16.ts';
import { float16ToFloat32, float32ToFloat16 } from './float16.ts';

const every = Uint16Array.from({ length: 65_536 }, (_, i) => i);
const isNumber = (_: number, i: number, values: Float32Array) => !Number.isNaN(values[i]);

test('every float16 survives the round trip through float32', () => {
  const wide = float16ToFloat32(every);
  const back = float32ToFloat16(wide);
  expect(every.filter((bits, i) => back[i] !== bits && !Number.isNaN(wide[i]))).toHaveLength(0);
  expect(wide.filter(isNumber)).toHaveLength(65_536 - 2 * 1023);
});

test('every bfloat16 survives the round trip through float32', () => {
  const wide = bfloat16ToFloat32(every);
  const back = float32ToBfloat16(wide);
  expect(every.filter((bits, i) => back[i] !== bits && !Number.isNaN(wide[i]))).toHaveLength(0);
});

test('known values of float16', () => {
  const bits = Uint16Array.from([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x8000, 0x7c00]);
  expect([...float16ToFloat32(bits)]).toEqual([
    1,
    -2,
    65504,
    2 ** -24,
    2 ** -14,
    0.333251953125,
    -0,
    Infinity,
  ]);
});

test('what lies between two float16 goes to the nearer, and a tie to the even one', () => {
  const wide = float16ToFloat32(every);
  // Positive finite neighbours, subnormals included.
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [wide[bits], wide[bits + 1]];
    const middle = (low + high) / 2;
    const near = Float32Array.of(middle - (high - low) / 8, middle, middle + (high - low) / 8, -middle);
    const even = bits % 2 ? bits + 1 : bits;
    expect([...float32ToFloat16(near)]).toEqual([bits, even, bits + 1, 0x8000 | even]);
  }
});

test('too large becomes infinite, too small becomes zero, and not-a-number stays so', () => {
  const source = Float32Array.of(65519, 65520, -1e9, 2 ** -25, 2 ** -25 * 1.01, NaN);
  const [a, b, c, d, e, f] = float32ToFloat16(source);
  expect([a, b, c, d, e]).toEqual([0x7bff, 0x7c00, 0xfc00, 0, 1]);
  expect(float16ToFloat32(Uint16Array.of(f))[0]).toBeNaN();
  expect(bfloat16ToFloat32(float32ToBfloat16(Float32Array.of(NaN)))[0]).toBeNaN();
});
