import type { Table } from './table.ts';

/** sparsity/<name>/layers.parquet: activation ratio by position in the sequence. */
export const sparsityPositionTable = {
  layer: { type: 'INTEGER', doc: 'layer, from 0' },
  position: { type: 'INTEGER', doc: 'position in the context, in tokens, from 0' },
  activationRatio: { type: 'DOUBLE', doc: 'share of neurons that are not exactly zero there' },
} as const satisfies Table;
