/**
 * Headers of Arrow IPC messages, checked against themselves and against the length of the body before anything is read by
 * them. apache-arrow loops over the lengths that a header claims, so it never sees a file that somebody else may have written.
 * (Format: arrow.apache.org/docs/format/Columnar.html; field numbers as in Message.fbs and Schema.fbs.)
 */
import { FlatTable } from './flatTable.ts';

/** Types that the product's own files have. */
export type ArrowType =
  | { kind: 'int'; bits: number; signed: boolean }
  | { kind: 'float'; bits: 16 | 32 | 64 }
  | { kind: 'list'; width: number; item: ArrowType };

export interface ArrowField {
  name: string;
  type: ArrowType;
}

export interface ArrowBatch {
  rows: number;
  /** One a column, and one more a list's items: rows, and how many of them are null. */
  nodes: { length: number; nulls: number }[];
  /** Each within the body, in order, apart from one another; offsets count from the body's beginning. */
  buffers: { offset: number; length: number }[];
}

export type ArrowMessage =
  | { kind: 'schema'; bodyBytes: number; fields: ArrowField[] }
  | { kind: 'batch'; bodyBytes: number; batch: ArrowBatch };

type Damaged = (why: string) => Error;

/** The longest header that is read. A hundred columns take some ten thousand bytes. */
export const longestHeader = 1 << 20;
const mostFields = 1000;
/** Bytes of a column's name. */
const longestName = 1024;

/** What the bytes of a header say. Throws what `damaged` makes of one that contradicts itself or is of another kind. */
export function readArrowMessage(header: Buffer, damaged: Damaged): ArrowMessage {
  const message = FlatTable.root(header, damaged);
  const bodyBytes = message.length64(3);
  const content = message.table(2);
  const kind = message.int8(1, 0);
  if (content === undefined) throw damaged('a message has no content');
  if (kind === 1) return { kind: 'schema', bodyBytes, fields: readFields(content, damaged) };
  if (kind === 3) return { kind: 'batch', bodyBytes, batch: readBatch(content, bodyBytes, damaged) };
  throw damaged(`it has a message of kind ${kind}, which is neither a schema nor rows`);
}

/**
 * What the footer of an Arrow file says: its columns, and where the messages of its record batches are. Throws as
 * `readArrowMessage`.
 */
export function readArrowFooter(
  footer: Buffer,
  damaged: Damaged,
): { fields: ArrowField[]; batches: { start: number; headerBytes: number; bodyBytes: number }[] } {
  const table = FlatTable.root(footer, damaged);
  const schema = table.table(1);
  if (!schema) throw damaged('its footer has no schema');
  const batches = table.lengths(3, 3).map(([start, headerBytes, bodyBytes]) => ({
    start,
    // A 32-bit number and padding.
    headerBytes: headerBytes % 2 ** 32,
    bodyBytes,
  }));
  return { fields: readFields(schema, damaged), batches };
}

function readFields(schema: FlatTable, damaged: Damaged): ArrowField[] {
  if (schema.int16(0, 0) !== 0) throw damaged('its numbers are big-endian');
  return schema.tables(1, mostFields).map((field) => readField(field, damaged));
}

function readField(field: FlatTable, damaged: Damaged): ArrowField {
  const name = field.text(0, longestName);
  const type = field.table(3);
  const children = field.tables(5, 1);
  if (type === undefined || field.table(4) !== undefined) throw damaged(`column '${name}' is of a type that isn't read`); // prettier-ignore
  const id = field.int8(2, 0);
  // A list of lists has no use here, so that depth has a bound as well.
  if (id === 16 && children.length === 1) {
    const item = scalarType(children[0], damaged);
    const width = type.int32(0, 0);
    if (width <= 0) throw damaged(`the lists of column '${name}' have ${width} items`);
    return { name, type: { kind: 'list', width, item } };
  }
  return { name, type: scalarType(field, damaged) };
}

function scalarType(field: FlatTable, damaged: Damaged): ArrowType {
  const type = field.table(3);
  const id = field.int8(2, 0);
  if (type !== undefined && id === 2)
    return { kind: 'int', bits: type.int32(0, 0), signed: type.int8(1, 0) === 1 };
  if (type !== undefined && id === 3) {
    const bits: 16 | 32 | 64 | undefined = ([16, 32, 64] as const)[type.int16(0, 0)];
    if (bits !== undefined) return { kind: 'float', bits };
  }
  throw damaged(`column '${field.text(0, longestName)}' is of a type that isn't read`);
}

function readBatch(content: FlatTable, bodyBytes: number, damaged: Damaged): ArrowBatch {
  if (content.table(3) !== undefined) throw damaged('its rows are compressed');
  const rows = content.length64(0);
  const nodes = content.lengths(1, 2).map(([length, nulls]) => ({ length, nulls }));
  const buffers = content.lengths(2, 2).map(([offset, length]) => ({ offset, length }));
  let end = 0;
  for (const { offset, length } of buffers) {
    if (length === 0) continue;
    if (offset < end || offset + length > bodyBytes)
      throw damaged(`a column ends at byte ${offset + length} of ${bodyBytes}, or lies in another one`);
    end = offset + length;
  }
  return { rows, nodes, buffers };
}
