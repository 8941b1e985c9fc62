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
  RecordBatch,
  Schema,
  Struct,
  Table,
  makeData,
  tableToIPC,
  type Data,
} from 'apache-arrow';
import { fstatSync, readSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import {
  longestHeader,
  readArrowFooter,
  readArrowMessage,
  type ArrowBatch,
  type ArrowField,
  type ArrowType,
} from './arrowMessage.ts';

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

/** What a file of vectors has to hold. */
export interface ExpectedVectors {
  rows: number;
  width: number;
  item: 'float16' | 'float32' | 'int32';
}

/**
 * Where the values start in an open Arrow file. `path` is for the message of the `corrupt` error, which is thrown when the file
 * holds anything but what is expected, or a length in it is wrong.
 */
export function locateVectors(fd: number, path: string, expected: ExpectedVectors): number {
  const damaged = (why: string) =>
    new LazyscopeError(
      'corrupt',
      `'${path}' is not an Arrow file of ${expected.rows} vectors of ${expected.width} ${expected.item} numbers (${why}): make the capture again.`,
    );
  const { size } = fstatSync(fd);
  const range = (start: number, length: number) => {
    if (length > longestHeader || start < 0 || start + length > size)
      throw damaged(`bytes ${start} to ${start + length} of ${size} can't be a header`);
    const bytes = Buffer.alloc(length);
    if (readSync(fd, bytes, 0, length, start) < length) throw damaged('it ends early');
    return bytes;
  };
  // The footer, its length and the mark that begins the file too.
  if (size < 32 || range(0, 6).toString('latin1') !== mark) throw damaged('it begins otherwise');
  const tail = range(size - 10, 10);
  const footerBytes = tail.readUInt32LE(0);
  if (tail.toString('latin1', 4) !== mark) throw damaged('it ends otherwise');
  const { fields, batches } = readArrowFooter(range(size - 10 - footerBytes, footerBytes), damaged);
  if (batches.length !== 1) throw damaged(`its rows are in ${batches.length} batches`);
  const [{ start, headerBytes, bodyBytes }] = batches;
  const header = range(start, headerBytes);
  // A marker, the header's length, the header.
  if (headerBytes < 8 || header.readInt32LE(0) !== -1 || header.readInt32LE(4) !== headerBytes - 8)
    throw damaged('its footer leads nowhere');
  const message = readArrowMessage(header.subarray(8), damaged);
  if (message.kind !== 'batch' || message.bodyBytes !== bodyBytes) throw damaged('its footer leads nowhere');
  if (start + headerBytes + bodyBytes > size - 10 - footerBytes) throw damaged(`it has ${size} bytes`);
  return start + headerBytes + valuesOffset(message.batch, fields, expected, damaged);
}

const mark = 'ARROW1';

function valuesOffset(
  { rows, nodes, buffers }: ArrowBatch,
  fields: readonly ArrowField[],
  { rows: expectedRows, width, item }: ExpectedVectors,
  damaged: (why: string) => LazyscopeError,
): number {
  const type = fields.length === 1 ? fields[0].type : undefined;
  if (type?.kind !== 'list' || type.width !== width || nameOf(type.item) !== item)
    throw damaged('its schema says otherwise');
  // Validity of the list, validity of its items, the items.
  const values = buffers.at(2);
  const [lists, items] = nodes;
  if (nodes.length !== 2 || buffers.length !== 3 || !values) throw damaged('it has other columns');
  if (rows !== expectedRows || lists.length !== rows || items.length !== rows * width)
    throw damaged(`it has ${rows} rows`);
  if (lists.nulls !== 0 || items.nulls !== 0) throw damaged('some rows have no value');
  const bytes = rows * width * (item === 'float16' ? 2 : 4);
  // Arrow leaves it to the writer whether a length counts the padding, and recommends to pad to multiples of 64 bytes.
  if (values.length < bytes || values.length > Math.ceil(bytes / 64) * 64)
    throw damaged(`its values take ${values.length} bytes instead of ${bytes}`);
  return values.offset;
}

function nameOf(type: ArrowType): string {
  return type.kind === 'int' && !type.signed
    ? 'unsigned'
    : type.kind === 'list'
      ? 'list'
      : `${type.kind}${type.bits}`;
}
