import { expect, test } from 'vitest';
import { communities, modularity, type WeightedGraph } from './communities.ts';
import { Random } from './random.ts';

/** Four groups of twenty-five, in which links are ten times as likely as between them; points in a shuffled order. */
function planted(seed: number): { graph: WeightedGraph; group: Int32Array } {
  const random = Random.fromSeed(seed, 'graph');
  const order = random.permutation(100);
  const group = Int32Array.from(order, (at) => at % 4);
  const edges: [number, number, number][] = [];
  for (let i = 0; i < 100; i++)
    for (let j = 0; j < i; j++)
      if (random.uniform() < (group[i] === group[j] ? 0.5 : 0.05)) edges.push([j, i, 0.5 + random.uniform()]);
  const column = (at: 0 | 1 | 2) => edges.map((edge) => edge[at]);
  return { graph: { points: 100, from: column(0), to: column(1), weight: column(2) }, group };
}

test('planted groups are found, whatever the order in which nodes are looked at', () => {
  const { graph, group } = planted(3);
  for (const seed of [0, 1, 2]) {
    const found = communities(graph, Random.fromSeed(seed));
    expect(new Set(found).size).toBe(4);
    expect(new Set(Array.from(group, (own, i) => `${own} ${found[i]}`)).size).toBe(4);
  }
});

test('modularity is Σ over pairs of (A − k k′/2W)/2W within communities, and no move raises it', () => {
  const { graph } = planted(8);
  const { points, from, to, weight } = graph;
  const a = new Float64Array(points * points);
  for (let e = 0; e < from.length; e++)
    for (const at of [from[e] * points + to[e], to[e] * points + from[e]]) a[at] += weight[e];
  const degree = Array.from({ length: points }, (_, i) =>
    a.subarray(i * points, (i + 1) * points).reduce((sum, w) => sum + w, 0),
  );
  const twice = degree.reduce((sum, k) => sum + k, 0);
  const byPairs = (of: ArrayLike<number>) =>
    a.reduce((sum, w, at) => {
      const [i, j] = [Math.floor(at / points), at % points];
      return of[i] === of[j] ? sum + (w - (degree[i] * degree[j]) / twice) / twice : sum;
    }, 0);
  const found = communities(graph, Random.fromSeed(0));
  expect(modularity(graph, found)).toBeCloseTo(byPairs(found), 12);
  for (let i = 0; i < points; i++)
    for (const other of new Set(found)) {
      const moved = Int32Array.from(found);
      moved[i] = other;
      expect(modularity(graph, moved)).toBeLessThanOrEqual(modularity(graph, found) + 1e-9);
    }
});

test('points without links stay alone', () => {
  expect([...communities({ points: 3, from: [], to: [], weight: [] }, Random.fromSeed(0))]).toEqual([
    0, 1, 2,
  ]);
  expect([...communities({ points: 3, from: [0], to: [2], weight: [2] }, Random.fromSeed(0))]).toEqual([
    0, 1, 0,
  ]);
});
