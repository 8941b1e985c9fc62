/** DuckDB's vectors as typed arrays: the columns of the chunks that a query gives. */
import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { LazyscopeError } from '../errors.ts';
import type { Table, TableColumn } from '../spec/tables/table.ts';

/** The lists of a column, one after the other: row r is values[offsets[r]] … values[offsets[r + 1] − 1]. */
export interface ListColumn {
  /** As narrow as the numbers allow. */
  values: Uint16Array | Int32Array | Float32Array;
  offsets: Int32Array;
}

/** Numbers are doubles with NaN for null, truth values 0 or 1. */
export type Column = Float64Array | Uint8Array | ListColumn | string[];

/**
 * The columns of `table`, by name, from chunks of a query that selects exactly these. Throws 'corrupt' for a value that the description
 * doesn't allow, which is also what a file without the column gives.
 */
export function columnsOfChunks(
  chunks: readonly DuckDBDataChunk[],
  table: Table,
  path: string,
): { columns: Record<string, Column>; rows: number } {
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0);
  const columns: Record<string, Column> = {};
  for (const [at, [name, described]] of Object.entries(table).entries()) {
    const parts = chunks.map((chunk) => ({
      chunk,
      at,
      vector: duckdb.data_chunk_get_vector(chunk.chunk, at),
      count: chunk.rowCount,
    }));
    const column = columnOf(parts, rows, described);
    if (column === undefined)
      throw new LazyscopeError(
        'corrupt',
        `'${path}' has no usable value of '${name}' in some row (${described.doc}): make the file again.`,
      );
    columns[name] = column;
  }
  return { columns, rows };
}

interface Part {
  chunk: DuckDBDataChunk;
  /** Place of the column in the chunk. */
  at: number;
  vector: duckdb.Vector;
  count: number;
}

/** Undefined where a value is not one that the description allows. */
function columnOf(parts: readonly Part[], rows: number, { type, nullable }: TableColumn): Column | undefined {
  switch (type) {
    case 'VARCHAR':
      return texts(parts);
    case 'INTEGER[]':
    case 'FLOAT[]':
      return lists(parts, rows, type);
    case 'BOOLEAN':
      return truths(parts, rows);
    default:
      return numbers(parts, rows, { type, nullable: nullable === true });
  }
}

const arrays = {
  INTEGER: Int32Array,
  BIGINT: BigInt64Array,
  DOUBLE: Float64Array,
  FLOAT: Float32Array,
} as const;

/** The first `count` numbers of a vector. */
function numbersIn(vector: duckdb.Vector, type: keyof typeof arrays, count: number) {
  const numbers = new arrays[type](count);
  // A copy, since the vector's memory is DuckDB's.
  new Uint8Array(numbers.buffer).set(duckdb.vector_get_data(vector, numbers.byteLength));
  return numbers;
}

/** Which rows of a vector are null. */
function nullsOf(vector: duckdb.Vector, count: number): (row: number) => boolean {
  const bits: Uint8Array | null = duckdb.vector_get_validity(vector, 8 * Math.ceil(count / 64));
  return bits ? (row) => (bits[row >> 3] & (1 << (row & 7))) === 0 : () => false;
}

function numbers(
  parts: readonly Part[],
  rows: number,
  { type, nullable }: { type: keyof typeof arrays; nullable: boolean },
): Float64Array | undefined {
  const values = new Float64Array(rows);
  let from = 0;
  for (const { vector, count } of parts) {
    const stored = numbersIn(vector, type, count);
    const isNull = nullsOf(vector, count);
    for (let i = 0; i < count; i++) {
      const value = isNull(i) ? Number.NaN : Number(stored[i]);
      if (!Number.isFinite(value) && !nullable) return undefined;
      values[from + i] = Number.isFinite(value) ? value : Number.NaN;
    }
    from += count;
  }
  return values;
}

function truths(parts: readonly Part[], rows: number): Uint8Array | undefined {
  const values = new Uint8Array(rows);
  let from = 0;
  for (const { vector, count } of parts) {
    const isNull = nullsOf(vector, count);
    for (let i = 0; i < count; i++) if (isNull(i)) return undefined;
    values.set(duckdb.vector_get_data(vector, count), from);
    from += count;
  }
  return values;
}

function lists(parts: readonly Part[], rows: number, type: 'INTEGER[]' | 'FLOAT[]'): ListColumn | undefined {
  const offsets = new Int32Array(rows + 1);
  const total = parts.reduce((sum, { vector }) => sum + duckdb.list_vector_get_size(vector), 0);
  const values = type === 'INTEGER[]' ? new Int32Array(total) : new Float32Array(total);
  let row = 0;
  for (const { vector, count } of parts) {
    const isNull = nullsOf(vector, count);
    const bytes = duckdb.vector_get_data(vector, count * 16);
    // Beginning and length of each list among the values of the vector.
    const entries = new BigUint64Array(bytes.buffer, bytes.byteOffset, 2 * count);
    const child = duckdb.list_vector_get_child(vector);
    const size = duckdb.list_vector_get_size(vector);
    const stored = numbersIn(child, type === 'INTEGER[]' ? 'INTEGER' : 'FLOAT', size);
    const isNullItem = nullsOf(child, size);
    for (let i = 0; i < count; i++) {
      if (isNull(i)) return undefined;
      const from = Number(entries[2 * i]);
      const length = Number(entries[2 * i + 1]);
      for (let item = 0; item < length; item++) {
        const value = Number(stored[from + item]);
        if (isNullItem(from + item) || !Number.isFinite(value)) return undefined;
        values[offsets[row] + item] = value;
      }
      offsets[row + 1] = offsets[row] + length;
      row++;
    }
  }
  const used = values.subarray(0, offsets[rows]);
  const narrow = used instanceof Int32Array && used.every((value) => value >= 0 && value < 1 << 16);
  return { values: narrow ? Uint16Array.from(used) : used.slice(), offsets };
}

function texts(parts: readonly Part[]): string[] | undefined {
  const values = parts.flatMap(({ chunk, at }) => chunk.getColumnValues(at));
  return values.every((value) => typeof value === 'string') ? values : undefined;
}
