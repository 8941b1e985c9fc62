import type { Table } from './table.ts';

/** sparsity/<name>/tradeoff.parquet: what each masking method costs and saves. */
export const sparsityTradeoffTable = {
  method: { type: 'VARCHAR', doc: 'the masking method; `none` for the model as it is' },
  setting: { type: 'VARCHAR', doc: 'what was set; empty for the model as it is' },
  value: { type: 'DOUBLE', doc: 'what it was set to; null for the model as it is', nullable: true },
  rank: { type: 'INTEGER', doc: "R-Sparse's rank; 0 for the others" },
  sparsity: { type: 'DOUBLE', doc: 'share of the entries that W_down reads as exactly 0' },
  perplexity: { type: 'DOUBLE', doc: 'perplexity of the next token' },
  savedOfMlp: { type: 'DOUBLE', doc: 'multiply-adds saved, as a share of those of all MLPs' },
  savedOfAll: { type: 'DOUBLE', doc: 'multiply-adds saved, as a share of those of a forward pass' },
} as const satisfies Table;
