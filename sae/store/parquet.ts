/**
 * Parquet in and out, by DuckDB in memory. Columns are handed over as typed arrays in chunks of DuckDB's
 * vector size, which is some fifty times faster than a call a value. Lists come flat, with row offsets.
 */
import {
  DuckDBDataChunk,
  DuckDBInstance,
  LIST,
  type DuckDBConnection,
  type DuckDBValue,
} from '@duckdb/node-api';
import { BIGINT, BOOLEAN, DOUBLE, FLOAT, INTEGER, VARCHAR } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import { parquetFault } from '../formats/checkParquet.ts';
import type { ColumnType, Table } from '../spec/tables/table.ts';
import { atomically } from './atomicWrite.ts';
import { explainWriteError } from './explainWriteError.ts';
import { fileStatus } from './fileStatus.ts';
import { bringIn } from './remote/bringIn.ts';
import { quoted } from './tableSql.ts';

/** Row r of a list column is values[offsets[r]] … values[offsets[r + 1] − 1]; offsets has one entry more than there are rows. */
export interface FlatLists {
  values: ArrayLike<number>;
  offsets: ArrayLike<number>;
}
export type ColumnData =
  | ArrayLike<number>
  | ArrayLike<bigint>
  | ArrayLike<boolean>
  | ArrayLike<string>
  | ArrayLike<ArrayLike<number>>
  | FlatLists;
export type TableData<T extends Table> = { readonly [Column in keyof T]: ColumnData };

const duckdbTypes = {
  INTEGER,
  BIGINT,
  DOUBLE,
  FLOAT,
  BOOLEAN,
  VARCHAR,
  'INTEGER[]': LIST(INTEGER),
  'FLOAT[]': LIST(FLOAT),
} satisfies Record<ColumnType, unknown>;

const vectorSize = duckdb.vector_size();
/** DuckDB would otherwise fetch what it lacks. */
export const noDownloads = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' };

/**
 * Writes one table atomically, compressed with zstd, rows in the order given. `data` may be a sequence of
 * pieces, so that a table larger than memory can be made as it goes: DuckDB spills beside the target file.
 * `rowGroupSize` is the unit a reader skips by; smaller makes looking up one row's neighbourhood cheaper.
 * Throws `bad_input` when columns disagree in length and `no_space` when the disk is full.
 */
export async function writeParquet<T extends Table>(
  path: string,
  table: T,
  data: TableData<T> | Iterable<TableData<T>> | AsyncIterable<TableData<T>>,
  options: { rowGroupSize?: number } = {},
): Promise<void> {
  const names = Object.keys(table);
  await atomically(path, async (beside) => {
    const instance = await DuckDBInstance.create(':memory:', {
      ...noDownloads,
      temp_directory: `${beside}.spill`,
      memory_limit: '2GB',
    });
    const connection = await instance.connect();
    try {
      const definition = names.map((name) => `${quoted(name)} ${table[name].type}`).join(', ');
      await connection.run(`CREATE TABLE rows (${definition})`);
      for await (const piece of pieces(data)) await append(connection, table, piece, path);
      const size = options.rowGroupSize ?? 122_880;
      await connection.run(
        `COPY rows TO '${beside.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${size})`,
      );
    } finally {
      connection.closeSync();
      instance.closeSync();
      await rm(`${beside}.spill`, { recursive: true, force: true });
    }
  });
}

async function* pieces<T extends Table>(
  data: TableData<T> | Iterable<TableData<T>> | AsyncIterable<TableData<T>>,
): AsyncGenerator<TableData<T>> {
  if (isSequence(data)) yield* data;
  else yield data;
}

function isSequence<Piece>(
  data: Piece | Iterable<Piece> | AsyncIterable<Piece>,
): data is Iterable<Piece> | AsyncIterable<Piece> {
  return (
    typeof data === 'object' && data !== null && (Symbol.iterator in data || Symbol.asyncIterator in data)
  );
}

async function append(
  connection: DuckDBConnection,
  table: Table,
  piece: TableData<Table>,
  path: string,
): Promise<void> {
  const names = Object.keys(table);
  const lengths = names.map((name) => rowsOf(name, piece[name], path));
  const rows = lengths[0] ?? 0;
  const odd = lengths.findIndex((length) => length !== rows);
  if (odd >= 0)
    throw new LazyscopeError(
      'bad_input',
      `Column '${names[odd]}' of '${path}' has ${lengths[odd]} rows where '${names[0]}' has ${rows}.`,
    );
  const appender = await connection.createAppender('rows');
  const types = names.map((name) => duckdbTypes[table[name].type]);
  for (let from = 0; from < rows; from += vectorSize) {
    const count = Math.min(vectorSize, rows - from);
    const chunk = DuckDBDataChunk.create(types, count);
    names.forEach((name, i) => {
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, i);
      fillVector(vector, table[name].type, piece[name], from, count);
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function rowsOf(name: string, data: ColumnData | undefined, path: string): number {
  if (data === undefined) throw new LazyscopeError('bad_input', `Column '${name}' of '${path}' has no data.`);
  return isFlat(data) ? data.offsets.length - 1 : data.length;
}

function isFlat(data: ColumnData): data is FlatLists {
  return 'offsets' in data;
}

function fillVector(
  vector: duckdb.Vector,
  type: ColumnType,
  data: ColumnData,
  from: number,
  count: number,
): void {
  if (type === 'INTEGER[]' || type === 'FLOAT[]') return fillLists(vector, type, data, from, count);
  if (isFlat(data)) throw new TypeError(`flat lists given for a column of type ${type}`);
  const at = (i: number) => data[from + i];
  if (type === 'VARCHAR') {
    for (let i = 0; i < count; i++) duckdb.vector_assign_string_element(vector, i, String(at(i)));
    return;
  }
  if (type === 'BIGINT') {
    const out = new BigInt64Array(count);
    for (let i = 0; i < count; i++) out[i] = BigInt(Number(at(i)));
    return copy(vector, out);
  }
  const out = { INTEGER: Int32Array, DOUBLE: Float64Array, FLOAT: Float32Array, BOOLEAN: Uint8Array }[type];
  const values = new out(count);
  for (let i = 0; i < count; i++) values[i] = Number(at(i));
  copy(vector, values);
}

function fillLists(
  vector: duckdb.Vector,
  type: 'INTEGER[]' | 'FLOAT[]',
  data: ColumnData,
  from: number,
  count: number,
): void {
  const rows = Array.from({ length: count }, (_, i) => listAt(data, from + i));
  const total = rows.reduce((sum, row) => sum + row.length, 0);
  const entries = new BigUint64Array(count * 2);
  const values = type === 'INTEGER[]' ? new Int32Array(total) : new Float32Array(total);
  let offset = 0;
  rows.forEach((row, i) => {
    entries[2 * i] = BigInt(offset);
    entries[2 * i + 1] = BigInt(row.length);
    values.set(row, offset);
    offset += row.length;
  });
  duckdb.list_vector_reserve(vector, total);
  duckdb.list_vector_set_size(vector, total);
  copy(duckdb.list_vector_get_child(vector), values);
  copy(vector, entries);
}

function listAt(data: ColumnData, row: number): ArrayLike<number> {
  if (isFlat(data)) {
    const { values, offsets } = data;
    if (ArrayBuffer.isView(values) && 'subarray' in values)
      return (values as Float32Array).subarray(offsets[row], offsets[row + 1]);
    return Array.prototype.slice.call(values, offsets[row], offsets[row + 1]);
  }
  const list = data[row];
  if (typeof list !== 'object') throw new TypeError(`row ${row} of a list column is ${typeof list}`);
  return list;
}

function copy(vector: duckdb.Vector, values: ArrayBufferView<ArrayBuffer>): void {
  if (values.byteLength > 0)
    duckdb.copy_data_to_vector(vector, 0, values.buffer, values.byteOffset, values.byteLength);
}

/** A cell as plain JavaScript: whole numbers of any width are numbers (counts stay far below 2⁵³), lists are arrays. */
export type Cell = number | string | boolean | null | Cell[];
export type Row = Record<string, Cell>;

let shared: Promise<DuckDBInstance> | undefined;

/**
 * One thread a statement: these are small, so that sharing one out costs more processor time than it saves, and a server has
 * several at a time, each on a thread of its own.
 */
const oneThread = { threads: '1' };

/**
 * Runs one SELECT, with `read_parquet($path)` in it and its parameters by name. The in-memory instance is
 * shared by the process; each call has its own connection. Throws `not_found` for a file that isn't there
 * when the parameter `path` names it, `corrupt` when DuckDB can't
 * read it, and `unavailable` when that takes more memory than there is.
 */
export async function queryParquet(sql: string, params: Record<string, DuckDBValue> = {}): Promise<Row[]> {
  return runOnParquet(params, async (connection) => {
    const reader = await connection.runAndReadAll(sql, params);
    return reader
      .getRowObjectsJS()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
  });
}

/**
 * Gives the result of a SELECT to `read` as chunks of DuckDB's vectors, which are its own only until it returns. Throws as queryParquet
 * does, and what `read` throws.
 */
export async function queryChunks<Result>(
  sql: string,
  params: Record<string, DuckDBValue> & { path: string },
  read: (chunks: readonly DuckDBDataChunk[]) => Result,
): Promise<Result> {
  return runOnParquet(params, async (connection) => {
    const result = await connection.run(sql, params);
    return read(await result.fetchAllChunks());
  });
}

/**
 * The result of a SELECT a chunk at a time, each computed when it is asked for, so that a table larger than memory can be passed on.
 * Throws as queryParquet does.
 */
export async function* streamChunks(
  sql: string,
  params: Record<string, DuckDBValue> & { path: string },
): AsyncGenerator<DuckDBDataChunk, void, undefined> {
  const connection = await connectionFor(params);
  try {
    const result = await connection.stream(sql, params);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield chunk;
    }
  } catch (error) {
    throw explained(error, params);
  } finally {
    connection.closeSync();
  }
}

async function runOnParquet<Result>(
  params: Record<string, DuckDBValue>,
  ask: (connection: DuckDBConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await connectionFor(params);
  try {
    return await ask(connection);
  } catch (error) {
    throw explained(error, params);
  } finally {
    connection.closeSync();
  }
}

async function connectionFor(params: Record<string, DuckDBValue>): Promise<DuckDBConnection> {
  for (const value of Object.values(params)) {
    if (typeof value !== 'string') continue;
    await bringIn(value);
    // Patterns stand for files of the product's own making; what else is a text in a query is no path.
    if ((value === params.path || value.endsWith('.parquet')) && !/[*?[]/.test(value)) await checkFile(value);
  }
  shared ??= openShared();
  return (await shared).connect();
}

/** Files whose lengths agreed, by path, each with what it was then; the least recently used go first. */
const checked = new Map<string, string>();
const mostChecked = 10_000;

async function checkFile(path: string): Promise<void> {
  const found = fileStatus(path);
  if (!found) throw new LazyscopeError('not_found', `'${path}' does not exist: make it first.`);
  // A pipe would be waited for.
  if (!found.isFile()) throw new LazyscopeError('corrupt', `'${path}' is not a Parquet file: make it again.`);
  await checkLengths(path, `${found.ino} ${found.mtimeMs} ${found.size}`);
}

/** DuckDB takes memory by the lengths that it finds in a file: 7 GB for one of 10 KB that was damaged. Throws `corrupt`. */
async function checkLengths(path: string, stamp: string): Promise<void> {
  const known = checked.get(path) === stamp;
  checked.delete(path);
  if (!known) {
    const fault = await parquetFault(path);
    if (fault !== undefined)
      throw new LazyscopeError('corrupt', `'${path}' is not a whole Parquet file: ${fault}; make it again.`);
  }
  checked.set(path, stamp);
  for (const oldest of checked.keys()) {
    if (checked.size <= mostChecked) break;
    checked.delete(oldest);
  }
}

/**
 * The footers of files that were read stay in memory, so that a question about one latent need not read a description of hundreds of
 * row groups first. DuckDB reads a footer again when the file's time of change is another, or was within the last ten seconds. Its
 * cache of what files hold is left out: within those seconds it has answered from a file that was no longer there.
 */
async function openShared(): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', { ...noDownloads, ...oneThread });
  const connection = await instance.connect();
  await connection.run('SET GLOBAL parquet_metadata_cache = true');
  await connection.run('SET GLOBAL enable_external_file_cache = false');
  connection.closeSync();
  return instance;
}

function explained(error: unknown, { path }: Record<string, DuckDBValue>): unknown {
  if (isLazyscopeError(error)) return error;
  const said = error instanceof Error ? error.message : '';
  // The statements are the product's own and hold for every sound file, so that what else goes wrong is in this one; but
  // for the machine's faults.
  const isMachine = /no space left|permission denied|interrupt/i.test(said);
  // A damaged length may ask for any amount, as a large file does on a machine that has little left.
  if (/out of memory|failed to allocate/i.test(said))
    return new LazyscopeError(
      'unavailable',
      `${typeof path === 'string' ? `'${path}'` : 'A query'} takes more memory than there is: free some, or make the file again if it is damaged.`,
      { cause: error },
    );
  if (typeof path === 'string' && !isMachine)
    return new LazyscopeError('corrupt', `'${path}' is not a whole Parquet file: make it again.`, {
      cause: error,
    });
  return explainWriteError(error, typeof path === 'string' ? dirname(path) : 'memory');
}

function plain(value: unknown): Cell {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(plain);
  return String(value);
}
