import { featureTable } from './features.ts';
import type { Table } from './table.ts';

/** comparisons/<name>/matches.parquet: one row a latent of a. */
export const matchTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent of a, from 0', sortable: true, label: 'a' },
  decoderMatch: {
    type: 'INTEGER',
    doc: 'its counterpart in the optimal matching of decoder rows; −1 for none',
    label: 'b',
  },
  decoderCosine: {
    type: 'DOUBLE',
    doc: 'cosine of the two decoder rows; null without a counterpart',
    nullable: true,
    sortable: true,
    label: 'Decoder',
    format: 'fixed',
    digits: 2,
  },
  encoderMatch: {
    type: 'INTEGER',
    doc: 'its counterpart in the optimal matching of encoder rows; −1 for none',
  },
  encoderCosine: {
    type: 'DOUBLE',
    doc: 'cosine of the two encoder rows; null without a counterpart',
    nullable: true,
    sortable: true,
    label: 'Encoder',
    format: 'fixed',
    digits: 2,
  },
  shared: {
    type: 'BOOLEAN',
    doc: 'whether both matchings give the same counterpart and both cosines reach the threshold',
  },
  nearest: { type: 'INTEGER', doc: 'latent of b with the nearest decoder row, matched or not' },
  nearestCosine: { type: 'DOUBLE', doc: 'cosine of the two decoder rows', sortable: true },
  activationCorrelation: {
    type: 'DOUBLE',
    doc: 'Pearson correlation of the activations of the latent and of decoderMatch over the held-out tokens on which either is active; null where neither is, or one does not vary',
    nullable: true,
    sortable: true,
    label: 'Corr.',
    format: 'fixed',
    digits: 2,
  },
  firingJaccard: {
    type: 'DOUBLE',
    doc: 'held-out tokens on which both are active, as a share of those on which either is; null where neither is',
    nullable: true,
    sortable: true,
    label: 'Jaccard',
    format: 'fixed',
    digits: 2,
  },
  chanceP: {
    type: 'DOUBLE',
    doc: 'probability that the nearest of as many random directions as b has latents is as near to the decoder row as its counterpart: the larger of two, with the covariance of the activations and with the second moment of b’s own rows; null without a counterpart, and where chance was not measured',
    nullable: true,
    sortable: true,
    label: 'p',
    format: 'figures',
    digits: 2,
  },
  isotropicP: {
    type: 'DOUBLE',
    doc: 'the same of random directions without a preference',
    nullable: true,
  },
} as const satisfies Table;

/** The matches as lists show them: beside the features of both sides, which are null where a dictionary isn't indexed. */
export const matchView = {
  ...matchTable,
  densityA: { ...featureTable.density, nullable: true, label: 'Density a' },
  densityB: { ...featureTable.density, nullable: true, label: 'Density b' },
  promotedA: { ...featureTable.promotedTokens, nullable: true, label: 'a promotes' },
  promotedB: { ...featureTable.promotedTokens, nullable: true, label: 'b promotes' },
} as const satisfies Table;
