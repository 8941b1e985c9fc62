/** Means over tokens, document by document. */
import type { SparseCode } from '../autoencoders/autoencoder.ts';
import type { PooledDocuments } from './pooledDocuments.ts';

/** Takes the tokens of one document at a time: their activations x [tokens, d] and latents. */
export interface TokenPool {
  /** Tokens of the document come all at once; a document without any gives zeros. */
  add(x: Float32Array, code: SparseCode): void;
  /** One row a document, in the order in which they were added. */
  examples(): Pick<PooledDocuments, 'x' | 'codes'>;
}

/** An empty pool of documents with activations of width `d`. */
export function poolTokens(d: number, latents: number): TokenPool {
  const means: Float32Array[] = [];
  const rows: { indices: Int32Array; values: Float32Array }[] = [];
  const sums = new Float64Array(latents);
  return {
    add(x, { rows: tokens, indices, values, rowStart }) {
      const mean = new Float64Array(d);
      for (let at = 0; at < x.length; at++) mean[at % d] += x[at];
      means.push(Float32Array.from(mean, (sum) => (tokens === 0 ? 0 : sum / tokens)));
      const some = new Set<number>();
      for (let e = 0; e < rowStart[tokens]; e++) {
        some.add(indices[e]);
        sums[indices[e]] += values[e];
      }
      const fired = Int32Array.from(some).sort();
      rows.push({ indices: fired, values: Float32Array.from(fired, (latent) => sums[latent] / tokens) });
      for (const latent of fired) sums[latent] = 0;
    },
    examples() {
      const x = new Float32Array(means.length * d);
      const rowStart = new Int32Array(rows.length + 1);
      for (const [n, mean] of means.entries()) {
        x.set(mean, n * d);
        rowStart[n + 1] = rowStart[n] + rows[n].indices.length;
      }
      const codes = {
        rows: rows.length,
        width: latents,
        rowStart,
        indices: new Int32Array(rowStart[rows.length]),
        values: new Float32Array(rowStart[rows.length]),
      };
      for (const [n, { indices, values }] of rows.entries()) {
        codes.indices.set(indices, rowStart[n]);
        codes.values.set(values, rowStart[n]);
      }
      return { x: { rows: means.length, width: d, values: x }, codes };
    },
  };
}
