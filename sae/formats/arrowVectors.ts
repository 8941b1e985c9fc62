/**
 * A table of equally long vectors as an Arrow IPC file: one column, FixedSizeList<Float16|Float32|Int32>[width],
 * one record batch. Any Arrow reader opens it; we read rows straight from the bytes, whose place in the file
 * is found once from the record batch's header.
 */
import {
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Int32,
  Message,
  RecordBatch,
  Schema,
  Struct,
  Table,
  makeData,
  tableToIPC,
  type Data,
} from 'apache-arrow';
import { readSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';

/** Float16 as bits. */
export type VectorValues = Uint16Array | Float32Array | Int32Array;

/** `values` holds rows × width numbers; the bytes returned are the whole file. */
export function encodeVectors(column: string, width: number, values: VectorValues): Uint8Array {
  if (values.length % width !== 0)
    throw new LazyscopeError(
      'bad_input',
      `${values.length} values don't make rows of ${width} for '${column}'.`,
    );
  const rows = values.length / width;
  if (values instanceof Uint16Array)
    return encode(column, width, rows, new Float16(), makeData({ type: new Float16(), data: values }));
  if (values instanceof Float32Array)
    return encode(column, width, rows, new Float32(), makeData({ type: new Float32(), data: values }));
  return encode(column, width, rows, new Int32(), makeData({ type: new Int32(), data: values }));
}

function encode<Type extends Float16 | Float32 | Int32>(
  column: string,
  width: number,
  rows: number,
  item: Type,
  child: Data<Type>,
): Uint8Array {
  const type = new FixedSizeList(width, new Field('item', item, false));
  const lists = makeData({ type, length: rows, nullCount: 0, child });
  const schema = new Schema([new Field(column, type, false)]);
  const batch = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children: [lists] });
  return tableToIPC(new Table(schema, new RecordBatch(schema, batch)), 'file');
}

export interface VectorsLayout {
  rows: number;
  /** Where the values start in the file, and how many bytes they take. */
  start: number;
  bytes: number;
}

const headBytes = 1 << 16;

/** Finds the values in an open Arrow file. `path` is for the message of the `corrupt` error. */
export function locateVectors(fd: number, path: string): VectorsLayout {
  const head = Buffer.alloc(headBytes);
  const length = readSync(fd, head, 0, headBytes, 0);
  const damaged = () =>
    new LazyscopeError('corrupt', `'${path}' is not an Arrow file of vectors: make the capture again.`);
  if (length < 16 || head.toString('latin1', 0, 6) !== 'ARROW1') throw damaged();
  // Messages follow one another from byte 8: a marker, the header's length, the header, the body.
  for (let at = 8; at + 8 <= length;) {
    const headerLength = head.readInt32LE(at + 4);
    const bodyStart = at + 8 + headerLength;
    if (head.readInt32LE(at) !== -1 || headerLength <= 0 || bodyStart > length) throw damaged();
    const message = Message.decode(head.subarray(at + 8, bodyStart));
    if (message.isRecordBatch()) {
      const batch = message.header();
      // Validity of the list, validity of its items, the items.
      const values = batch.buffers.at(2);
      if (batch.buffers.length !== 3 || !values) throw damaged();
      return {
        rows: Number(batch.length),
        start: bodyStart + Number(values.offset),
        bytes: Number(values.length),
      };
    }
    at = bodyStart + Number(message.bodyLength);
  }
  throw damaged();
}
