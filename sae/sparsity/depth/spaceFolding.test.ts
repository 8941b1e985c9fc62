import { expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { activationPattern, hammingDistance, spaceFolding, straightPath } from './spaceFolding.ts';

const patterns = (...rows: string[]) => rows.map((row) => activationPattern(Array.from(row, Number)));

test('no folding without switching back; a pattern that returns folds', () => {
  expect(spaceFolding(patterns('000', '001', '011', '111'))).toBe(0);
  expect(spaceFolding(patterns('000', '000'))).toBe(0);
  // Out by 2 and back: walked 4, farthest 2.
  expect(spaceFolding(patterns('000', '011', '000'))).toBe(0.5);
  // Walked 2 + 1 + 1, farthest 2 (then 1).
  expect(spaceFolding(patterns('000', '110', '100', '000'))).toBe(0.5);
});

test('the distance is the number of neurons that differ, whatever their number', () => {
  const random = Random.fromSeed(3);
  for (const neurons of [1, 31, 32, 33, 100]) {
    const [a, b] = [random.normals(neurons), random.normals(neurons)];
    const expected = a.filter((x, i) => x > 0 !== b[i] > 0).length;
    expect(hammingDistance(activationPattern(a), activationPattern(b))).toBe(expected);
    const all = new Float32Array(neurons).fill(1);
    expect(hammingDistance(activationPattern(all), activationPattern(all.map((x) => -x)))).toBe(neurons);
  }
});

test('one layer does not fold: along a straight line each neuron switches once', () => {
  const random = Random.fromSeed(1);
  const [d, neurons] = [5, 40];
  const [w, b] = [random.normals(neurons * d), random.normals(neurons)];
  const layer = (x: Float32Array) =>
    b.map((bias, i) => x.reduce((sum, xk, k) => sum + w[i * d + k] * xk, bias));
  for (let round = 0; round < 20; round++) {
    const path = straightPath(random.normals(d, 3), random.normals(d, 3), 65);
    expect(spaceFolding(path.map((x) => activationPattern(layer(x))))).toBeCloseTo(0, 12);
  }
});

test('|x| folds: the second layer of a tent sees the way out again on the way back', () => {
  // First layer: x and −x; second: |x| above 1, 2 and 3.
  const pattern = (x: number) =>
    activationPattern([x, -x, Math.abs(x) - 1, Math.abs(x) - 2, Math.abs(x) - 3]);
  const path = straightPath(Float32Array.of(-3.5), Float32Array.of(3.5), 71);
  // Walked 3 down, 2 across and 3 up; the farthest is just past 0, with 3 + 2 switched.
  expect(spaceFolding(path.map(([x]) => pattern(x)))).toBeCloseTo(1 - 5 / 8, 12);
});

test('paths include both ends; patterns of different size have no distance', () => {
  expect(straightPath(Float32Array.of(0, 2), Float32Array.of(1, 0), 3).map((p) => [...p])).toEqual([
    [0, 2],
    [0.5, 1],
    [1, 0],
  ]);
  const [two, three] = patterns('00', '000');
  expect(() => hammingDistance(two, three)).toThrow(/2 and 3 neurons/);
  expect(() => spaceFolding(patterns('0'))).toThrow(/two points or more/);
});

test('a linear network does not fold, however deep: each pre-activation is linear along the path', () => {
  const random = Random.fromSeed(2);
  const [d, layers] = [12, 4];
  const weights = Array.from({ length: layers }, () => random.normals(d * d));
  const biases = Array.from({ length: layers }, () => random.normals(d));
  for (let round = 0; round < 20; round++) {
    const path = straightPath(random.normals(d, 3), random.normals(d, 3), 65);
    const patterns = path.map((x) => {
      let h = Array.from(x);
      return weights.flatMap((w, layer) => {
        h = Array.from(biases[layer], (b, i) => h.reduce((sum, hk, k) => sum + w[i * d + k] * hk, b));
        return h;
      });
    });
    expect(spaceFolding(patterns.map((each) => activationPattern(each)))).toBeCloseTo(0, 12);
  }
});
