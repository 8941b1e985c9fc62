/** Neurons of a layer out of columns in memory: order, filter and pages. Nothing here needs a disk or a database, so that a published site has it too. */
import { sparsityNeuronTable } from '../../sae/spec/tables/sparsityNeurons.ts';
import type { RowOf } from '../../sae/spec/tables/table.ts';
import { rowAt, type ColumnsOf } from '../../sae/store/columnRows.ts';
import type { NeuronListInput, NeuronRow } from '../contract/sparsity.ts';
import type { Page } from '../contract/tokens.ts';
import type { TokenReader } from './tokenReader.ts';

export type NeuronColumns = ColumnsOf<typeof sparsityNeuronTable>;

/** A row of the table as answers have it. */
export function neuronRow(
  { topTokens, promotedTokens, ...row }: RowOf<typeof sparsityNeuronTable>,
  tokens: TokenReader,
): NeuronRow {
  return { ...row, topTokens: tokens.texts(topTokens), promoted: tokens.texts(promotedTokens) };
}

/** Row `row` of the columns. */
export function neuronAt(columns: NeuronColumns, row: number, tokens: TokenReader): NeuronRow {
  return neuronRow(rowAt(sparsityNeuronTable, columns, row), tokens);
}

/** The page that server/queries/sparsity.ts takes by SQL from the table of all layers. Ties are in the order of the neurons. */
export function pageOfNeurons(
  {
    sort,
    order,
    firing,
    offset,
    limit,
  }: Pick<NeuronListInput, 'sort' | 'order' | 'firing' | 'offset' | 'limit'>,
  columns: NeuronColumns,
  tokens: TokenReader,
): Page<NeuronRow> {
  const { neuron, frequency } = columns;
  const value = columns[sort];
  const sign = order === 'asc' ? 1 : -1;
  const found = Array.from(neuron.keys())
    .filter((row) => firing === 'all' || frequency[row] > 0 === (firing === 'firing'))
    .sort((a, b) => sign * (value[a] - value[b]) || neuron[a] - neuron[b]);
  return {
    total: found.length,
    rows: found.slice(offset, offset + limit).map((row) => neuronAt(columns, row, tokens)),
  };
}

/** How many neurons fire less often than one of this frequency. */
export function lazierThan(frequency: number, { frequency: all }: NeuronColumns): number {
  return all.reduce((count, each) => count + Number(each < frequency), 0);
}
