/**
 * Tables of the store as they are sent: Arrow, CSV or the Parquet file itself, a few thousand rows at a time, so that a table of
 * any size needs little memory.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import {
  Bool,
  Field,
  Float32,
  Float64,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table as ArrowTable,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { Data, DataType } from 'apache-arrow';
import { csvCell } from '../../sae/spec/csvCell.ts';
import type { ColumnType, Table, TableColumn } from '../../sae/spec/tables/table.ts';
import { streamChunks } from '../../sae/store/parquet.ts';
import { columnList, quoted, storedTable } from '../../sae/store/tableSql.ts';
import { columnsOfChunks, type Column } from '../../sae/store/vectorColumns.ts';
import { openTableFile, type FileFormat } from './openTableFile.ts';
import type { TableRequest } from './storedTables.ts';

interface Batch {
  columns: Record<string, Column>;
  rows: number;
}

/** The rows asked for, in the order of the file. */
async function* batchesOf({ path, table, where }: TableRequest): AsyncGenerator<Batch, void, undefined> {
  const conditions = Object.keys(where).map((column) => `${quoted(column)} = $${column}`);
  // A condition may be on a column that is not asked for.
  const read = { ...table, ...Object.fromEntries(Object.keys(where).map((column) => [column, whole])) };
  const sql = `SELECT ${columnList(table)} FROM ${storedTable(read)} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}`;
  for await (const chunk of streamChunks(sql, { path, ...where }))
    yield columnsOfChunks([chunk], table, path);
}

const whole: TableColumn = { type: 'INTEGER', doc: 'a column of a condition' };

/** A stream of the Arrow format. The first rows are read before it is returned, so that a damaged file is an error and no half answer. */
export async function arrowStream(request: TableRequest): Promise<ReadableStream<Uint8Array>> {
  const schema = schemaOf(request.table);
  const head = headOf(tableToIPC(new ArrowTable(schema), 'stream'));
  return begun(request, {
    head: () => head,
    // Every batch is encoded as a stream of its own, of which the messages between schema and end are passed on.
    part: (batch) =>
      tableToIPC(new ArrowTable([recordBatch(schema, request.table, batch)]), 'stream').subarray(
        head.length,
        -endOfStream.length,
      ),
    tail: () => endOfStream,
  });
}

/** The table as CSV (RFC 4180), in which the values of a list are separated by spaces. */
export async function csvStream(request: TableRequest): Promise<ReadableStream<Uint8Array>> {
  const names = Object.keys(request.table);
  const encoder = new TextEncoder();
  return begun(request, {
    head: () => encoder.encode(`${names.map(csvCell).join(',')}\r\n`),
    part: ({ columns, rows }) => {
      let text = '';
      for (let row = 0; row < rows; row++)
        text += `${names.map((name) => csvCell(cellOf(columns[name], row, request.table[name]))).join(',')}\r\n`;
      return encoder.encode(text);
    },
    tail: () => new Uint8Array(),
  });
}

/** A file as it lies, with the bytes it has when it is opened. Throws as `openTableFile`. */
export async function fileStream(
  path: string,
  format: FileFormat,
  root: string,
): Promise<{ body: ReadableStream<Uint8Array>; bytes: number }> {
  const { file, bytes } = await openTableFile(path, format, root);
  if (bytes === 0) {
    await file.close();
    return { body: streamOf([]), bytes };
  }
  // A writer may append meanwhile; what is sent ends where the file ended.
  const stream = createReadStream(path, { fd: file, start: 0, end: bytes - 1 });
  return { body: Readable.toWeb(stream) as ReadableStream<Uint8Array>, bytes };
}

interface Encoding {
  head: () => Uint8Array;
  part: (batch: Batch) => Uint8Array;
  tail: () => Uint8Array;
}

async function begun(
  request: TableRequest,
  { head, part, tail }: Encoding,
): Promise<ReadableStream<Uint8Array>> {
  const batches = batchesOf(request);
  const first = await batches.next();
  async function* parts() {
    yield head();
    if (!first.done) yield part(first.value);
    for await (const batch of batches) yield part(batch);
    yield tail();
  }
  return streamOf(parts());
}

/** Asks for a part when the reader is ready for it, and closes the source when the reader leaves. */
function streamOf(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return Readable.toWeb(Readable.from(parts, { objectMode: false })) as ReadableStream<Uint8Array>;
}

function cellOf(column: Column, row: number, { type }: TableColumn): unknown {
  if ('offsets' in column)
    return Array.from(column.values.subarray(column.offsets[row], column.offsets[row + 1]));
  return type === 'BOOLEAN' ? column[row] === 1 : column[row];
}

/** What ends a stream: a continuation mark and no message (Arrow columnar format, "IPC streaming format"). */
const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

/** The schema's message of a stream: a mark, the length of what follows, and that. It has no body. */
function headOf(stream: Uint8Array): Uint8Array {
  const length = new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
  return stream.slice(0, 8 + length);
}

/** 64-bit integers become doubles: counts are far below 2⁵³, and plots need plain numbers. */
const arrowTypes = {
  INTEGER: new Int32(),
  BIGINT: new Float64(),
  DOUBLE: new Float64(),
  FLOAT: new Float32(),
  BOOLEAN: new Bool(),
  VARCHAR: new Utf8(),
  'INTEGER[]': new List(new Field('item', new Int32(), false)),
  'FLOAT[]': new List(new Field('item', new Float32(), false)),
} as const satisfies Record<ColumnType, DataType>;

function schemaOf(table: Table): Schema {
  return new Schema(
    Object.entries(table).map(
      ([name, { type, nullable, doc }]) =>
        new Field(name, arrowTypes[type], nullable === true, new Map([['doc', doc]])),
    ),
  );
}

function recordBatch(schema: Schema, table: Table, { columns, rows }: Batch): RecordBatch {
  const children = Object.entries(table).map(([name, { type }]) => dataOf(type, columns[name], rows));
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }),
  );
}

function dataOf(type: ColumnType, column: Column, rows: number): Data {
  if ('offsets' in column) {
    const values = type === 'INTEGER[]' ? Int32Array.from(column.values) : Float32Array.from(column.values);
    const child =
      values instanceof Int32Array
        ? makeData({ type: new Int32(), data: values })
        : makeData({ type: new Float32(), data: values });
    return makeData({
      type: arrowTypes[type as 'INTEGER[]'],
      length: rows,
      nullCount: 0,
      valueOffsets: column.offsets,
      child: child as Data<Int32>,
    });
  }
  if (Array.isArray(column)) return vectorFromArray(column, new Utf8()).data[0];
  if (column instanceof Uint8Array)
    return vectorFromArray(
      Array.from(column, (one) => one === 1),
      new Bool(),
    ).data[0];
  const { nullBitmap, nullCount } = nullsOf(column);
  const shape = { length: rows, nullCount, ...(nullCount > 0 ? { nullBitmap } : {}) };
  if (type === 'INTEGER') return makeData({ type: new Int32(), ...shape, data: Int32Array.from(column) });
  if (type === 'FLOAT') return makeData({ type: new Float32(), ...shape, data: Float32Array.from(column) });
  return makeData({ type: new Float64(), ...shape, data: column });
}

/** One bit a row, set where there is a value. */
function nullsOf(column: Float64Array): { nullBitmap: Uint8Array; nullCount: number } {
  const nullBitmap = new Uint8Array(8 * Math.ceil(column.length / 64));
  let nullCount = 0;
  column.forEach((value, row) => {
    if (Number.isNaN(value)) nullCount++;
    else nullBitmap[row >> 3] |= 1 << (row & 7);
  });
  return { nullBitmap, nullCount };
}
