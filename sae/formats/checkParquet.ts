/**
 * Whether the lengths that a Parquet file states of its parts agree with one another (https://parquet.apache.org/docs/file-format). Whoever
 * reads it takes memory by these lengths, before it finds out that they are wrong.
 */
import type { FileHandle } from 'node:fs/promises';
import { openFileHandle } from './openFileHandle.ts';
import {
  NotThrift,
  readThriftStruct,
  TooShort,
  type ThriftStruct,
  type ThriftValue,
} from './thriftCompact.ts';

/** How often its own size, and how many bytes besides, a file may unpack to: tables of this kind compress far less. */
const mostInflation = 1000;
const freeInflation = 256 << 20;
/** A header of a page is some tens of bytes, and more with statistics of long texts. */
const usualHeader = 256;
const longestHeader = 1 << 20;

/** Why the file is damaged; undefined where nothing was found. Throws `not_found` and as reading does. */
export async function parquetFault(path: string): Promise<string | undefined> {
  const { file, size } = await openFileHandle(path);
  try {
    await check(file, size);
    return undefined;
  } catch (error) {
    if (error instanceof Damaged || error instanceof NotThrift) return error.message;
    throw error;
  } finally {
    await file.close();
  }
}

class Damaged extends Error {}

async function check(file: FileHandle, size: number): Promise<void> {
  if (size < 12) throw new Damaged('it is shorter than the shortest');
  const tail = await bytesAt(file, size - 8, 8);
  const footerLength = tail.readUInt32LE(0);
  if (tail.toString('latin1', 4) !== 'PAR1' || footerLength > size - 12)
    throw new Damaged('it has no footer');
  const footerStart = size - 8 - footerLength;
  const { struct: footer } = readThriftStruct(await bytesAt(file, footerStart, footerLength));
  const groups = structs(footer.get(4));
  let [rows, unpacked] = [0, 0];
  for (const group of groups) {
    rows += number(group, 3);
    for (const chunk of structs(group.get(1))) {
      const [meta] = structs([chunk.get(3) ?? []]);
      if (!meta) throw new Damaged('a column is not described');
      unpacked += await checkColumn(file, meta, footerStart);
    }
  }
  if (rows !== number(footer, 3)) throw new Damaged(`its parts have ${rows} rows of ${number(footer, 3)}`);
  if (unpacked > mostInflation * size + freeInflation)
    throw new Damaged(`it would unpack to ${unpacked} bytes`);
}

/** Walks along the pages of a column's part. Returns how many bytes they unpack to. */
async function checkColumn(file: FileHandle, meta: ThriftStruct, footerStart: number): Promise<number> {
  const [values, unpacked, packed, dataStart] = [5, 6, 7, 9].map((field) => number(meta, field));
  // Of a column without values some writers say no place.
  if (values === 0 && packed === 0) return 0;
  const dictionaryStart = meta.has(11) ? number(meta, 11) : 0;
  const start = dictionaryStart > 0 ? Math.min(dictionaryStart, dataStart) : dataStart;
  const end = start + packed;
  if (start < 4 || packed < 0 || end > footerStart) throw new Damaged('a column lies where nothing can be');
  let [sum, found] = [0, 0];
  for (let at = start; at < end;) {
    const { struct: page, length } = await headerAt(file, at, end);
    const [pageUnpacked, pagePacked] = [number(page, 2), number(page, 3)];
    at += length + pagePacked;
    sum += pageUnpacked;
    if (pagePacked < 0 || pageUnpacked < 0 || at > end) throw new Damaged('a page reaches beyond its column');
    if (sum > unpacked) throw new Damaged('its pages unpack to more than its columns');
    for (const field of [5, 7, 8]) {
      const [header] = structs([page.get(field) ?? []]);
      if (!header) continue;
      const count = number(header, 1);
      if (count < 0 || count > (field === 7 ? pageUnpacked : values)) throw new Damaged('a page has more values than there can be'); // prettier-ignore
      if (field !== 7) found += count;
    }
  }
  if (found !== values) throw new Damaged(`a column has ${found} values of ${values}`);
  return sum;
}

async function headerAt(
  file: FileHandle,
  at: number,
  end: number,
): Promise<{ struct: ThriftStruct; length: number }> {
  for (let length = usualHeader; ; length *= 8)
    try {
      return readThriftStruct(await bytesAt(file, at, Math.min(length, end - at)));
    } catch (error) {
      if (!(error instanceof TooShort) || length >= Math.min(longestHeader, end - at)) throw error;
    }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new Damaged('it became shorter while it was read');
    filled += bytesRead;
  }
  return bytes;
}

function number(of: ThriftStruct, field: number): number {
  const value = of.get(field);
  if (typeof value !== 'number') throw new Damaged('a length is missing');
  return value;
}

function structs(value: ThriftValue | undefined): ThriftStruct[] {
  if (value === undefined) return [];
  if (typeof value === 'number' || !isList(value)) throw new Damaged('it is described in another way');
  return value.filter((one): one is ThriftStruct => typeof one !== 'number' && !isList(one));
}

const isList = (value: ThriftStruct | readonly ThriftValue[]): value is readonly ThriftValue[] =>
  Array.isArray(value);
