import type { Table } from './table.ts';

/** sparsity/<name>/tokens.parquet: activation ratio by token id, of those that occurred. */
export const sparsityTokenTable = {
  layer: { type: 'INTEGER', doc: 'layer, from 0' },
  token: { type: 'INTEGER', doc: 'token id' },
  occurrences: { type: 'INTEGER', doc: 'how often the token occurs in the text' },
  activationRatio: { type: 'DOUBLE', doc: 'share of neurons that are not exactly zero on it' },
} as const satisfies Table;
