import type { Table } from './table.ts';

/** comparisons/<name>/curve.parquet: shared fraction against the threshold, 0 to 1 in steps of 0.01. */
export const sharedCurveTable = {
  threshold: { type: 'DOUBLE', doc: 'cosine that a pair must reach' },
  shared: {
    type: 'DOUBLE',
    doc: 'share of latents with one counterpart in both matchings, both cosines at the threshold or above',
  },
  decoder: { type: 'DOUBLE', doc: 'the same by the optimal matching of decoder rows alone' },
  encoder: { type: 'DOUBLE', doc: 'the same by the optimal matching of encoder rows alone' },
  greedy: { type: 'DOUBLE', doc: 'the same by the greedy matching of decoder rows' },
} as const satisfies Table;
