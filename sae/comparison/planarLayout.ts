/**
 * Lays a neighbour graph out in the plane: UMAP's optimisation (McInnes, Healy & Melville, 1802.03426, section 3.2 and
 * appendix C) by stochastic gradient descent, edges sampled in proportion to their weights, with negative samples.
 */
import { Random } from '../numerics/random.ts';
import { pause } from '../pause.ts';
import type { Directions } from './directions.ts';
import type { NeighbourGraph } from './neighbourGraph.ts';

export interface LayoutOptions {
  /** Default 200: from a start that has the large distances right, more epochs change little. */
  epochs?: number;
  seed?: number;
  progress?: (epochs: number, total: number) => void;
  signal?: AbortSignal | undefined;
}

/** a and b of UMAP's curve 1/(1 + a·d^2b), fitted to a minimum distance of 0.1 at a spread of 1 (UMAP's defaults). */
const a = 1.57694;
const b = 0.8951;
const negativeSamples = 5;
const longestStep = 4;

/** [points, 2]: x and y of each point, optimised from `start` [points, 2]. The same input gives the same layout. */
export async function planarLayout(
  { points, from, to, weight }: NeighbourGraph,
  start: Float32Array,
  { epochs = 200, seed = 0, progress, signal }: LayoutOptions = {},
): Promise<Float32Array> {
  const random = Random.fromSeed(seed, 'planar layout');
  const place = Float32Array.from(start);
  const heaviest = weight.reduce((most, w) => Math.max(most, w), 0);
  // Each edge is sampled once in this many epochs.
  const period = weight.map((w) => heaviest / w);
  const turn = period.slice();
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 1 - epoch / epochs;
    for (let e = 0; e < from.length; e++) {
      if (turn[e] > epoch + 1) continue;
      turn[e] += period[e];
      // UMAP samples the symmetric matrix, so each edge is used twice: either end in turn is pushed away from the negative samples.
      for (let side = 0; side < 2; side++) {
        const end = side === 0 ? from[e] : to[e];
        pull(place, from[e], to[e], rate);
        for (let n = 0; n < negativeSamples; n++) push(place, end, random.below(points), rate);
      }
    }
    progress?.(epoch + 1, epochs);
    await pause(signal, 'laying out the map');
  }
  return place;
}

function pull(place: Float32Array, i: number, j: number, rate: number): void {
  const dx = place[2 * i] - place[2 * j];
  const dy = place[2 * i + 1] - place[2 * j + 1];
  const square = dx * dx + dy * dy;
  if (square === 0) return;
  const power = square ** (b - 1);
  const strength = (2 * a * b * power) / (1 + a * power * square);
  const [x, y] = [rate * clipped(strength * dx), rate * clipped(strength * dy)];
  place[2 * i] -= x;
  place[2 * i + 1] -= y;
  place[2 * j] += x;
  place[2 * j + 1] += y;
}

function push(place: Float32Array, i: number, j: number, rate: number): void {
  if (i === j) return;
  const dx = place[2 * i] - place[2 * j];
  const dy = place[2 * i + 1] - place[2 * j + 1];
  const square = dx * dx + dy * dy;
  const strength = (2 * b) / ((0.001 + square) * (1 + a * square ** b));
  place[2 * i] += rate * (square > 0 ? clipped(strength * dx) : longestStep);
  place[2 * i + 1] += rate * (square > 0 ? clipped(strength * dy) : longestStep);
}

function clipped(step: number): number {
  return Math.max(-longestStep, Math.min(longestStep, step));
}

/**
 * The two directions along which the points vary most (power iteration about their mean), as a start [points, 2] within
 * ±10: what is far apart then stays far apart, which a random start would leave to chance.
 */
export function principalStart({ rows, d, data }: Directions, seed = 0): Float32Array {
  const random = Random.fromSeed(seed, 'principal start');
  const mean = new Float64Array(d);
  for (let at = 0; at < data.length; at++) mean[at % d] += data[at] / rows;
  // The axes are found from a sample of the points, and all points are projected onto them.
  const stride = Math.max(1, Math.floor(rows / 4096));
  const axes: Float64Array[] = [];
  for (let axis = 0; axis < 2; axis++) {
    let v = Float64Array.from({ length: d }, () => random.normal());
    for (let step = 0; step < 30; step++) {
      for (const before of axes) {
        const along = dot(v, before);
        v = v.map((x, k) => x - along * before[k]);
      }
      const length = Math.sqrt(dot(v, v)) || 1;
      v = v.map((x) => x / length);
      const next = new Float64Array(d);
      for (let i = 0; i < rows; i += stride) {
        let score = 0;
        for (let k = 0; k < d; k++) score += (data[i * d + k] - mean[k]) * v[k];
        for (let k = 0; k < d; k++) next[k] += score * (data[i * d + k] - mean[k]);
      }
      v = next;
    }
    const length = Math.sqrt(dot(v, v)) || 1;
    axes.push(v.map((x) => x / length));
  }
  const out = new Float32Array(2 * rows);
  axes.forEach((v, axis) => {
    let most = 1e-12;
    for (let i = 0; i < rows; i++) {
      let score = 0;
      for (let k = 0; k < d; k++) score += (data[i * d + k] - mean[k]) * v[k];
      out[2 * i + axis] = score;
      most = Math.max(most, Math.abs(score));
    }
    for (let i = 0; i < rows; i++) out[2 * i + axis] *= 10 / most;
  });
  // Without noise, points that coincide would have no gradient that separates them.
  return out.map((x) => x + 0.001 * random.normal());
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
}
