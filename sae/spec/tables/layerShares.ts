import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/layers.parquet: of a crosscoder, how much of each latent's decoder is at each hook point. */
export const layerShareTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  layer: { type: 'INTEGER', doc: 'place of the hook point among those of the run, from 0' },
  hook: { type: 'VARCHAR', doc: 'the hook point' },
  norm: {
    type: 'DOUBLE',
    doc: "L2 norm of the latent's decoder row at the hook point, in units in which all hook points' activations are of one size",
  },
  share: {
    type: 'DOUBLE',
    doc: 'the norm over the sum of the norms at all hook points',
    label: 'Share',
    format: 'percent',
    digits: 0,
  },
} as const satisfies Table;
