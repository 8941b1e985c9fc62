/** The tables of a sparsity report, by the names of their files in its folder. */
import { sparsityCurveTable } from './sparsityCurves.ts';
import { sparsityExampleTable } from './sparsityExamples.ts';
import { sparsityNeuronTable } from './sparsityNeurons.ts';
import { sparsityPositionTable } from './sparsityPositions.ts';
import { sparsityTokenTable } from './sparsityTokens.ts';
import { sparsityTradeoffTable } from './sparsityTradeoff.ts';
import type { Table } from './table.ts';

/** The tables of a sparsity report, by the names of their files. */
export const sparsityTables = {
  layers: sparsityPositionTable,
  neurons: sparsityNeuronTable,
  curves: sparsityCurveTable,
  tokens: sparsityTokenTable,
  examples: sparsityExampleTable,
  tradeoff: sparsityTradeoffTable,
} as const satisfies Record<string, Table>;

export type SparsityTableName = keyof typeof sparsityTables;
