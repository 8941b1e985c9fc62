/**
 * A latent as the distribution of the hidden states that express it, each with the weight of its activation (2605.28567), and how far two such
 * distributions are: the sliced 2-Wasserstein distance (Bonneel et al., J. Math. Imaging Vis. 51, 2015). On a line the optimal transport
 * joins quantiles, so that a latent becomes a vector of quantiles along a few directions, and the squared distance that of vectors.
 */
import type { Random } from '../../numerics/random.ts';
import type { Candidates } from '../candidates.ts';
import type { FiringLists } from './firingLists.ts';

export interface ExpressedStates {
  /** [latents, slices × quantiles]; zeros for a latent that never fires. */
  readonly data: Float32Array;
  readonly slices: number;
  readonly quantiles: number;
  readonly live: Uint8Array; // [latents]
}

/** Unit directions [slices, d], the same for every dictionary that is compared. */
export function sliceDirections(slices: number, d: number, random: Random): Float32Array {
  const out = random.normals(slices * d);
  for (let s = 0; s < slices; s++) {
    let squares = 0;
    for (let k = 0; k < d; k++) squares += out[s * d + k] ** 2;
    for (let k = 0; k < d; k++) out[s * d + k] /= Math.sqrt(squares);
  }
  return out;
}

/**
 * Quantiles (q + ½)/`quantiles` of every latent's distribution along each slice.
 *
 * @param projected [tokens, slices], the hidden states along the slices
 */
export function expressedStates(
  { latents, start, token, value }: FiringLists,
  projected: Float32Array,
  { slices, quantiles }: { slices: number; quantiles: number },
): ExpressedStates {
  const data = new Float32Array(latents * slices * quantiles);
  const live = new Uint8Array(latents);
  for (let i = 0; i < latents; i++) {
    const [from, to] = [start[i], start[i + 1]];
    let total = 0;
    for (let e = from; e < to; e++) total += value[e];
    if (!(total > 0)) continue;
    live[i] = 1;
    const order = Uint32Array.from({ length: to - from }, (_, n) => from + n);
    for (let s = 0; s < slices; s++) {
      const at = (e: number) => projected[token[e] * slices + s];
      order.sort((e, f) => at(e) - at(f));
      let [n, reached] = [0, value[order[0]]];
      for (let q = 0; q < quantiles; q++) {
        const wanted = ((q + 0.5) / quantiles) * total;
        while (reached < wanted && n + 1 < order.length) reached += value[order[++n]];
        data[(i * slices + s) * quantiles + q] = at(order[n]);
      }
    }
  }
  return { data, slices, quantiles, live };
}

/** SW₂² of latent i of a and latent j of b: the mean over slices of the squared distance of quantiles. */
export function squaredDistance(a: ExpressedStates, i: number, b: ExpressedStates, j: number): number {
  const width = a.slices * a.quantiles;
  let sum = 0;
  for (let k = 0, p = i * width, q = j * width; k < width; k++, p++, q++) sum += (a.data[p] - b.data[q]) ** 2;
  return sum / width;
}

/** Pairs of latents whose mean distance is that of latents which have nothing to do with each other. */
const randomPairs = 2048;

/**
 * The candidates with weight 1 − SW₂²/s, s the mean squared distance of random pairs: 1 for the same distribution, about 0 for two that have
 * nothing to do with each other, as with cosines. Latents that never fire have no candidates; there are none at all where s is 0.
 */
export function closenessOf(
  { rows, columns, start, column }: Candidates,
  a: ExpressedStates,
  b: ExpressedStates,
  random: Random,
): Candidates {
  const [liveA, liveB] = [a, b].map(({ live }) => [...live.keys()].filter((i) => live[i] === 1));
  let scale = 0;
  if (liveA.length > 0 && liveB.length > 0)
    for (let n = 0; n < randomPairs; n++)
      scale += squaredDistance(a, liveA[random.below(liveA.length)], b, liveB[random.below(liveB.length)]);
  scale /= randomPairs;
  const kept: number[] = [];
  const weight: number[] = [];
  const first = new Int32Array(rows + 1);
  for (let i = 0; i < rows; i++) {
    for (let p = start[i]; p < start[i + 1]; p++) {
      if (scale === 0 || a.live[i] === 0 || b.live[column[p]] === 0) continue;
      kept.push(column[p]);
      weight.push(1 - squaredDistance(a, i, b, column[p]) / scale);
    }
    first[i + 1] = kept.length;
  }
  return {
    rows,
    columns,
    start: first,
    column: Int32Array.from(kept),
    weight: Float32Array.from(weight),
  };
}
