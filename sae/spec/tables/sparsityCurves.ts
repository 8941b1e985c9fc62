import type { Table } from './table.ts';

/** sparsity/<name>/curves.parquet: CETT against sparsity, by layer. */
export const sparsityCurveTable = {
  layer: { type: 'INTEGER', doc: 'layer, from 0' },
  threshold: { type: 'DOUBLE', doc: 'threshold on |a_i|·n_i' },
  cett: { type: 'DOUBLE', doc: "relative error of the MLP's output without the neurons below it" },
  activeRatio: { type: 'DOUBLE', doc: 'share of neurons above the threshold' },
} as const satisfies Table;
