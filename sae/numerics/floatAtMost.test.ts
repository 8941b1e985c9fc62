import { expect, test } from 'vitest';
import { floatAtMost } from './floatAtMost.ts';

test('the largest single-precision number that is not above a number', () => {
  for (const x of [0.1, 1e-4, 0.3, -0.1, -1e-4, 1e-46, -1e-46, 16777217, -16777217, 1e-44]) {
    const found = floatAtMost(x);
    expect(Math.fround(found)).toBe(found);
    expect(found).toBeLessThanOrEqual(x);
    // The next one above is above x: half way to it rounds to x's own side.
    const next = new Float32Array([found]);
    const bits = new Int32Array(next.buffer);
    if (found === 0) bits[0] = 1;
    else bits[0] += found > 0 ? 1 : -1;
    expect(next[0]).toBeGreaterThan(x);
  }
  for (const x of [0, 1.5, -2, Infinity, -Infinity]) expect(floatAtMost(x)).toBe(x);
  expect(floatAtMost(NaN)).toBeNaN();
});
