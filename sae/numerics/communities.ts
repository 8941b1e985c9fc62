/**
 * Communities of a weighted graph by the Louvain method (Blondel, Guillaume, Lambiotte & Lefebvre, 0803.0476): nodes move to the
 * neighbouring community that raises modularity most until none does; communities become nodes, and so on.
 */
import type { Random } from './random.ts';

/** Undirected, every edge once; an edge from a node to itself counts once. */
export interface WeightedGraph {
  readonly points: number;
  readonly from: ArrayLike<number>;
  readonly to: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
}

interface Adjacency {
  readonly start: Int32Array;
  readonly other: Int32Array;
  readonly weight: Float64Array;
  /** [points]: weight of a node's edge to itself. */
  readonly own: Float64Array;
  /** [points]: Σ of weights at the node, its own edge twice. */
  readonly degree: Float64Array;
  readonly total: number;
}

/** [points]: the community of each, from 0, numbered by their first points. The order in which nodes are looked at is drawn from `random`. */
export function communities(graph: WeightedGraph, random: Random): Int32Array {
  let of = Int32Array.from({ length: graph.points }, (_, i) => i);
  let level = graph;
  for (;;) {
    const found = oneLevel(adjacency(level), random);
    const count = renumber(found);
    of = of.map((node) => found[node]);
    if (count === level.points) break;
    level = folded(level, found, count);
  }
  renumber(of);
  return of;
}

/** Q = Σ_c (inside_c / W − (degree_c / 2W)²), W the sum of all weights. */
export function modularity({ points, from, to, weight }: WeightedGraph, of: ArrayLike<number>): number {
  const inside = new Float64Array(points);
  const degree = new Float64Array(points);
  let total = 0;
  for (let e = 0; e < from.length; e++) {
    total += weight[e];
    degree[of[from[e]]] += weight[e];
    degree[of[to[e]]] += weight[e];
    if (of[from[e]] === of[to[e]]) inside[of[from[e]]] += weight[e];
  }
  return inside.reduce((sum, w, c) => sum + w / total - (degree[c] / (2 * total)) ** 2, 0);
}

function adjacency({ points, from, to, weight }: WeightedGraph): Adjacency {
  const start = new Int32Array(points + 1);
  const own = new Float64Array(points);
  const degree = new Float64Array(points);
  let total = 0;
  for (let e = 0; e < from.length; e++) {
    total += weight[e];
    degree[from[e]] += weight[e];
    degree[to[e]] += weight[e];
    if (from[e] === to[e]) {
      own[from[e]] += weight[e];
      continue;
    }
    start[from[e] + 1]++;
    start[to[e] + 1]++;
  }
  for (let i = 0; i < points; i++) start[i + 1] += start[i];
  const next = start.slice(0, points);
  const other = new Int32Array(start[points]);
  const weights = new Float64Array(start[points]);
  for (let e = 0; e < from.length; e++) {
    if (from[e] === to[e]) continue;
    for (const [a, b] of [
      [from[e], to[e]],
      [to[e], from[e]],
    ]) {
      other[next[a]] = b;
      weights[next[a]++] = weight[e];
    }
  }
  return { start, other, weight: weights, own, degree, total };
}

/** A gain in modularity below this is rounding. */
const least = 1e-12;

function oneLevel({ start, other, weight, degree, total }: Adjacency, random: Random): Int32Array {
  const points = degree.length;
  const of = Int32Array.from({ length: points }, (_, i) => i);
  if (total === 0) return of;
  const sum = degree.slice();
  const shared = new Float64Array(points);
  const order = random.permutation(points);
  for (let moved = true; moved;) {
    moved = false;
    for (const node of order) {
      const near: number[] = [];
      for (let at = start[node]; at < start[node + 1]; at++) {
        const community = of[other[at]];
        if (shared[community] === 0) near.push(community);
        shared[community] += weight[at];
      }
      const before = of[node];
      sum[before] -= degree[node];
      const gain = (community: number) =>
        shared[community] / total - (sum[community] * degree[node]) / (2 * total * total);
      let best = before;
      for (const community of near) if (gain(community) > gain(best) + least) best = community;
      sum[best] += degree[node];
      of[node] = best;
      moved ||= best !== before;
      for (const community of near) shared[community] = 0;
    }
  }
  return of;
}

/** Numbers communities from 0 in the order of their first points, in place, and counts them. */
function renumber(of: Int32Array): number {
  const numbers = new Map<number, number>();
  for (let i = 0; i < of.length; i++) {
    let number = numbers.get(of[i]);
    if (number === undefined) numbers.set(of[i], (number = numbers.size));
    of[i] = number;
  }
  return numbers.size;
}

function folded({ from, to, weight }: WeightedGraph, of: Int32Array, count: number): WeightedGraph {
  const sums = new Map<number, number>();
  for (let e = 0; e < from.length; e++) {
    const [a, b] = [of[from[e]], of[to[e]]];
    const key = Math.min(a, b) * count + Math.max(a, b);
    sums.set(key, (sums.get(key) ?? 0) + weight[e]);
  }
  const keys = [...sums.keys()];
  return {
    points: count,
    from: keys.map((key) => Math.floor(key / count)),
    to: keys.map((key) => key % count),
    weight: [...sums.values()],
  };
}
