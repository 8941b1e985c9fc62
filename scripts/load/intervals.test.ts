import { describe, expect, test } from 'vitest';
import { Random } from '../../sae/numerics/random.ts';
import { medianInterval } from './medianInterval.ts';
import { slopeInterval } from './slopeInterval.ts';

describe('a median', () => {
  test('lies between the order statistics of the sign test’s table', () => {
    const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
    // Of 10 values the 2nd and the 9th (97.9 %), of 25 the 8th and the 18th (95.7 %), as tables of the sign test have them.
    expect(medianInterval(numbers(10))).toEqual({ median: 5.5, interval: [2, 9] });
    expect(medianInterval(numbers(25)).interval).toEqual([8, 18]);
    expect(medianInterval(numbers(6)).interval).toEqual([1, 6]);
    expect(medianInterval(numbers(5)).interval).toBeNull();
    expect(() => medianInterval([])).toThrow(RangeError);
  });

  test('is in its interval 95 times of 100, also of values that are anything but normal', () => {
    const random = Random.fromSeed(1, 'medians');
    let inside = 0;
    for (let trial = 0; trial < 2_000; trial++) {
      const values = Array.from({ length: 21 }, () => -Math.log(1 - random.uniform()));
      const [from, to] = medianInterval(values).interval!;
      if (from <= Math.LN2 && Math.LN2 <= to) inside++;
    }
    expect(inside / 2_000).toBeGreaterThan(0.94);
  });
});

describe('a slope', () => {
  const minutes = Array.from({ length: 20 }, (_, i) => i);

  test('is not moved by a few values far off', () => {
    const values = minutes.map((minute) => 300 + 2 * minute + 0.01 * Math.sin(7 * minute));
    values[3] = 900;
    values[15] = 10;
    const { median, interval } = slopeInterval(minutes, values);
    expect(median).toBeCloseTo(2, 1);
    expect(interval![0]).toBeLessThan(2);
    expect(interval![1]).toBeGreaterThan(2);
    expect(slopeInterval([0, 1, 2], [5, 6, 7])).toEqual({ median: 1, interval: null });
    expect(() => slopeInterval([1, 1], [5, 6])).toThrow(RangeError);
  });

  test('of noise around a rise is in its interval 95 times of 100', () => {
    const random = Random.fromSeed(2, 'slopes');
    let inside = 0;
    for (let trial = 0; trial < 1_000; trial++) {
      const values = minutes.map((minute) => 0.3 * minute + 10 * random.normal());
      const [from, to] = slopeInterval(minutes, values).interval!;
      if (from <= 0.3 && 0.3 <= to) inside++;
    }
    expect(inside / 1_000).toBeGreaterThan(0.93);
    expect(inside / 1_000).toBeLessThan(0.985);
  });
});
