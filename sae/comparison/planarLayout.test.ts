import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { tf } from '../tensor/tf.ts';
import { unitRows, type Directions } from './directions.ts';
import { nearestDirections, neighbourGraph } from './neighbourGraph.ts';
import { planarLayout, principalStart } from './planarLayout.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** `families` bundles of directions, one after the other. */
function bundles(families: number, each: number, d: number, noise: number): Directions {
  const random = Random.fromSeed(1);
  const centres = random.normals(families * d);
  const data = Float32Array.from(
    { length: families * each * d },
    (_, at) => centres[Math.floor(at / (each * d)) * d + (at % d)] + noise * random.normal(),
  );
  return unitRows({ rows: families * each, d, data }, 'test');
}

describe('the neighbour graph', () => {
  const points = bundles(6, 20, 16, 0.3);
  const nearest = nearestDirections(points, 8);
  const graph = neighbourGraph(nearest);

  test('each point has its nearest others, nearest first, never itself', () => {
    const cosine = (i: number, j: number) =>
      points.data.subarray(i * 16, i * 16 + 16).reduce((sum, x, k) => sum + x * points.data[j * 16 + k], 0);
    for (let i = 0; i < points.rows; i++) {
      const others = Array.from({ length: points.rows }, (_, j) => j).filter((j) => j !== i);
      others.sort((p, q) => cosine(i, q) - cosine(i, p));
      const found = nearest.index.subarray(i * 8, i * 8 + 8);
      expect(found).not.toContain(i);
      others.slice(0, 8).forEach((j, place) => {
        expect(nearest.distance[i * 8 + place]).toBeCloseTo(1 - cosine(i, j), 5);
      });
    }
  });

  test('edges are there once, in (0, 1], and 1 to the nearest', () => {
    const seen = new Set<string>();
    graph.from.forEach((i, e) => {
      const j = graph.to[e];
      const key = i < j ? `${i} ${j}` : `${j} ${i}`;
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      expect(graph.weight[e]).toBeGreaterThan(0);
      expect(graph.weight[e]).toBeLessThanOrEqual(1.000001);
    });
    for (let i = 0; i < points.rows; i++) {
      const j = nearest.index[i * 8];
      const e = graph.from.findIndex(
        (from, at) => (from === i && graph.to[at] === j) || (from === j && graph.to[at] === i),
      );
      expect(graph.weight[e]).toBeCloseTo(1, 5);
    }
  });

  test('duplicates do not crowd a point out of its own list', () => {
    const one = { rows: 12, d: 2, data: Float32Array.from({ length: 24 }, (_, at) => (at + 1) % 2) };
    const { index } = nearestDirections(one, 4);
    for (let i = 0; i < 12; i++) expect(index.subarray(i * 4, i * 4 + 4)).not.toContain(i);
  });
});

test('bundles of directions become islands: a point’s nearest on the map are of its own bundle', async () => {
  const points = bundles(8, 30, 24, 0.4);
  const graph = neighbourGraph(nearestDirections(points, 10));
  const layout = await planarLayout(graph, principalStart(points), { epochs: 200 });
  let own = 0;
  for (let i = 0; i < points.rows; i++) {
    let best = -1;
    let least = Infinity;
    for (let j = 0; j < points.rows; j++) {
      const distance = (layout[2 * i] - layout[2 * j]) ** 2 + (layout[2 * i + 1] - layout[2 * j + 1]) ** 2;
      if (j !== i && distance < least) [least, best] = [distance, j];
    }
    if (Math.floor(best / 30) === Math.floor(i / 30)) own++;
  }
  expect(own / points.rows).toBeGreaterThan(0.95);
  expect(layout.every(Number.isFinite)).toBe(true);
  expect(await planarLayout(graph, principalStart(points), { epochs: 200 })).toEqual(layout);
});

test('the start spreads the points along their two widest directions', () => {
  const random = Random.fromSeed(2);
  const data = Float32Array.from(
    { length: 300 * 6 },
    (_, at) => random.normal() * [0.1, 5, 0.1, 2, 0.1, 0.1][at % 6],
  );
  const start = principalStart({ rows: 300, d: 6, data });
  const correlation = (axis: number, column: number) => {
    let [xy, xx, yy] = [0, 0, 0];
    for (let i = 0; i < 300; i++) {
      const [x, y] = [start[2 * i + axis], data[i * 6 + column]];
      xy += x * y;
      xx += x * x;
      yy += y * y;
    }
    return Math.abs(xy) / Math.sqrt(xx * yy);
  };
  expect(correlation(0, 1)).toBeGreaterThan(0.95);
  expect(correlation(1, 3)).toBeGreaterThan(0.95);
  expect(Math.max(...start)).toBeLessThan(10.1);
});
