import type { Table } from './table.ts';

/** runs/<run>/reproducibility-curve.parquet: shares of the latents of all seeds against the threshold, 0 to 1 in steps of 0.025. */
export const reproducibilityCurveTable = {
  threshold: {
    type: 'DOUBLE',
    doc: 'cosine that a latent and its counterpart must reach, encoder and decoder both',
  },
  every: { type: 'DOUBLE', doc: 'share of latents that every other seed shares' },
  any: { type: 'DOUBLE', doc: 'share of latents that at least one other seed shares' },
  mean: { type: 'DOUBLE', doc: 'mean share of other seeds that share a latent' },
  everyByChance: { type: 'DOUBLE', doc: '`every` if the other seeds were random dictionaries, at most' },
  anyByChance: { type: 'DOUBLE', doc: '`any` if they were, at most' },
  meanByChance: { type: 'DOUBLE', doc: '`mean` if they were, at most' },
} as const satisfies Table;
