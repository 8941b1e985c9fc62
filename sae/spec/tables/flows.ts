import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/flows.parquet: where the transport sends the latents of one seed, a row for each flow that matters to one of its ends. */
export const flowTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0', sortable: true, label: 'Latent' },
  run: { type: 'VARCHAR', doc: 'run of the other dictionary' },
  seed: { type: 'INTEGER', doc: 'seed of the other dictionary' },
  kind: {
    type: 'VARCHAR',
    doc: 'what becomes of the latent there: same, split, merged, absorbed, scattered or lost',
  },
  carried: {
    type: 'DOUBLE',
    doc: 'mass that the latent sends there, as a share of what each latent is given',
    format: 'percent',
    digits: 0,
  },
  other: {
    type: 'INTEGER',
    doc: 'latent of the other dictionary; −1 in the only row of a latent without a flow',
  },
  sent: {
    type: 'DOUBLE',
    doc: 'share of what the latent sends that goes to this one',
    sortable: true,
    format: 'percent',
    digits: 0,
  },
  received: {
    type: 'DOUBLE',
    doc: 'share of what the other one receives that comes from this latent',
    format: 'percent',
    digits: 0,
  },
  cosine: {
    type: 'DOUBLE',
    doc: 'cosine of the two decoder rows',
    nullable: true,
    format: 'fixed',
    digits: 2,
  },
} as const satisfies Table;
