import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/stability.parquet: one row a latent, over the comparisons with other seeds of the same configuration. */
export const stabilityTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  sharedWith: { type: 'INTEGER', doc: 'how many of the compared seeds share the latent' },
  compared: { type: 'INTEGER', doc: 'other seeds that were compared' },
  stability: {
    type: 'DOUBLE',
    doc: 'share of the compared seeds that share the latent',
    sortable: true,
    label: 'Stability',
    format: 'percent',
    digits: 0,
  },
} as const satisfies Table;
