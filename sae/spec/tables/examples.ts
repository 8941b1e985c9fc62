import { stretchColumns } from './stretch.ts';
import type { Table } from './table.ts';

/** runs/<run>/seed-<n>/examples.parquet: stretches of held-out text around an activation. */
export const exampleTable = {
  latent: { type: 'INTEGER', doc: 'number of the latent, from 0' },
  band: {
    type: 'VARCHAR',
    doc: '`top`, or `quantile-0` (weakest) to `quantile-4` of the range of activations',
  },
  rank: { type: 'INTEGER', doc: 'place in its band, from 0' },
  ...stretchColumns,
} as const satisfies Table;
