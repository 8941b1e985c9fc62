import { stretchColumns } from './stretch.ts';
import type { Table } from './table.ts';

/** sparsity/<name>/examples.parquet: the stretches of text on which a neuron is strongest. */
export const sparsityExampleTable = {
  layer: { type: 'INTEGER', doc: 'layer, from 0' },
  neuron: { type: 'INTEGER', doc: 'number of the neuron in its layer, from 0' },
  rank: { type: 'INTEGER', doc: 'place of the stretch by |a| at its peak, from 0' },
  ...stretchColumns,
} as const satisfies Table;
