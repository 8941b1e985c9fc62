/** Which tokens each latent fires on and how strongly, latent by latent: what pairs of latents are compared by. */
import type { SparseCode } from '../../autoencoders/autoencoder.ts';

export interface FiringLists {
  readonly latents: number;
  readonly tokens: number;
  /** Latent i fires on token[start[i] … start[i + 1]), ascending, with the activations in value. */
  readonly start: Int32Array;
  readonly token: Int32Array;
  readonly value: Float32Array;
}

/** The lists of codes that follow one another, token 0 first. Entries that are 0 are no firings. */
export function firingLists(latents: number, codes: readonly SparseCode[]): FiringLists {
  const start = new Int32Array(latents + 1);
  for (const { indices, values } of codes)
    for (let e = 0; e < indices.length; e++) if (values[e] !== 0) start[indices[e] + 1]++;
  for (let i = 0; i < latents; i++) start[i + 1] += start[i];
  const next = start.slice();
  const token = new Int32Array(start[latents]);
  const value = new Float32Array(start[latents]);
  let tokens = 0;
  for (const { rows, rowStart, indices, values } of codes) {
    for (let row = 0; row < rows; row++)
      for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
        if (values[e] === 0) continue;
        const at = next[indices[e]]++;
        token[at] = tokens + row;
        value[at] = values[e];
      }
    tokens += rows;
  }
  return { latents, tokens, start, token, value };
}

/** The same by token: latents that fire on token t stand at start[t] … start[t + 1]. */
export function byToken({ latents, tokens, start, token, value }: FiringLists): {
  start: Int32Array;
  latent: Int32Array;
  value: Float32Array;
} {
  const first = new Int32Array(tokens + 1);
  for (const t of token) first[t + 1]++;
  for (let t = 0; t < tokens; t++) first[t + 1] += first[t];
  const next = first.slice();
  const latent = new Int32Array(token.length);
  const strength = new Float32Array(token.length);
  for (let i = 0; i < latents; i++)
    for (let e = start[i]; e < start[i + 1]; e++) {
      const at = next[token[e]]++;
      latent[at] = i;
      strength[at] = value[e];
    }
  return { start: first, latent, value: strength };
}

/** Σ_t f_i(t) g_j(t), over the tokens on which both fire. */
export function productOf(a: FiringLists, i: number, b: FiringLists, j: number): number {
  let sum = 0;
  let p = a.start[i];
  let q = b.start[j];
  while (p < a.start[i + 1] && q < b.start[j + 1]) {
    if (a.token[p] < b.token[q]) p++;
    else if (a.token[p] > b.token[q]) q++;
    else sum += a.value[p++] * b.value[q++];
  }
  return sum;
}
