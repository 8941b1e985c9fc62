/** Tables of a sparsity report as CSV (RFC 4180), for programs that can't read Parquet. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { csvCell } from '../../sae/spec/csvCell.ts';
import { sparsityTables } from '../../sae/spec/tables/sparsityTables.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { columnList, quoted, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { SparsityCsvInput } from '../contract/sparsity.ts';
import { reportOf } from './sparsity.ts';

/** A table as CSV, in which values of a list are separated by spaces. Throws 'not_found' for a missing report or table, 'bad_input' for a layer or neuron in a table without such a column. */
export async function sparsityCsv(server: ServerContext, input: SparsityCsvInput): Promise<string> {
  const { name, table, layer, neuron } = input;
  await reportOf(server, name);
  const path = server.store.sparsityTable(name, table);
  if (!existsSync(path))
    throw new LazyscopeError(
      'not_found',
      `The sparsity report '${name}' has no table '${table}': measure again, with interventions.`,
    );
  const described = sparsityTables[table];
  const columns = Object.keys(described);
  const asked = Object.entries({ layer, neuron }).filter(([, value]) => value !== undefined);
  const missing = asked.find(([column]) => !columns.includes(column));
  if (missing) throw new LazyscopeError('bad_input', `The table '${table}' has no column '${missing[0]}'.`);
  const where =
    asked.length > 0
      ? `WHERE ${asked.map(([column]) => `${quoted(column)} = $${column}`).join(' AND ')}`
      : '';
  const rows = await queryParquet(`SELECT ${columnList(described)} FROM ${storedTable(described)} ${where}`, {
    path,
    ...(Object.fromEntries(asked) as Record<string, number>),
  });
  const lines = rows.map((row) => columns.map((column) => csvCell(row[column])).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}
