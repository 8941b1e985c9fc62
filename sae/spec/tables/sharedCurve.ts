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
  chance: {
    type: 'DOUBLE',
    doc: 'the same by the optimal matching of two random dictionaries, with the covariance of the activations where that is known; of dictionaries too wide to simulate, what it is at most',
    nullable: true,
  },
  chanceDeviation: {
    type: 'DOUBLE',
    doc: 'standard deviation of `chance` from one pair of random dictionaries to the next',
    nullable: true,
  },
  nearestChance: {
    type: 'DOUBLE',
    doc: 'share of latents whose nearest row in a random dictionary reaches the threshold, matched or not',
    nullable: true,
  },
} as const satisfies Table;
