import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/loadings.parquet: the neurons that write along a latent's decoder row, strongest first. */
export const loadingTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  rank: { type: 'INTEGER', doc: 'place of the neuron by |cosine|, from 0' },
  layer: { type: 'INTEGER', doc: 'layer of the neuron, from 0' },
  neuron: { type: 'INTEGER', doc: 'number of the neuron in its layer, from 0' },
  cosine: {
    type: 'DOUBLE',
    doc: "cosine of the latent's decoder row with the neuron's row of W_down",
    label: 'Cosine',
    format: 'fixed',
    digits: 2,
  },
} as const satisfies Table;
