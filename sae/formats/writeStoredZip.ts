/**
 * Writes a zip whose files are stored as they are, piece by piece, so that neither a file nor the archive has to fit a buffer. What doesn't fit
 * 32 bits is written as zip64 has it (PKWARE's APPNOTE, §4.3.14, §4.3.15 and §4.5.3), which zipFile.ts, NumPy and PyTorch read.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { atomically, writeAll } from '../store/atomicWrite.ts';

/** A file's content, in pieces that follow one another. */
export type StoredFile = readonly Uint8Array[];

const elsewhere = 0xffffffff;
/** Of a zip64 archive. */
const version64 = 45;
const version = 20;
/** Names are UTF-8. */
const flags = 0x800;
/** 1 January 1980, the first day that there is: files of the same content are the same. */
const date = 0x21;

interface Written {
  name: Buffer;
  checksum: number;
  size: number;
  start: number;
}

/** Writes atomically. `largest` is the most that 32 bits are used for, which tests make small. */
export async function writeStoredZip(
  path: string,
  files: Readonly<Record<string, StoredFile>>,
  largest = elsewhere - 1,
): Promise<void> {
  await atomically(path, async (beside) => {
    const handle = await open(beside, 'wx');
    try {
      const written: Written[] = [];
      let at = 0;
      for (const [name, pieces] of Object.entries(files)) {
        const size = pieces.reduce((sum, { length }) => sum + length, 0);
        const entry = { name: Buffer.from(name), checksum: checksum(pieces), size, start: at };
        const header = localHeader(entry, largest);
        await writeAll(handle, header);
        for (const piece of pieces) await writeAll(handle, piece);
        at += header.length + size;
        written.push(entry);
      }
      const directory = Buffer.concat(written.map((entry) => directoryEntry(entry, largest)));
      await writeAll(handle, directory);
      await writeAll(handle, endOf({ count: written.length, bytes: directory.length, start: at }, largest));
    } finally {
      await handle.close();
    }
  });
}

function checksum(pieces: StoredFile): number {
  let value = 0;
  // crc32 takes at most 2 GiB at once.
  for (const piece of pieces)
    for (let at = 0; at < piece.length; at += 1 << 30)
      value = crc32(piece.subarray(at, at + (1 << 30)), value);
  return value;
}

/** The zip64 extra field of numbers that 32 bits don't hold; empty where there are none. */
function extraOf(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + 8 * numbers.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return extra;
}

function localHeader({ name, checksum: sum, size }: Written, largest: number): Buffer {
  const large = size > largest;
  const extra = extraOf(large ? [size, size] : []);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(large ? version64 : version, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(date, 12);
  header.writeUInt32LE(sum, 14);
  header.writeUInt32LE(large ? elsewhere : size, 18);
  header.writeUInt32LE(large ? elsewhere : size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

function directoryEntry({ name, checksum: sum, size, start }: Written, largest: number): Buffer {
  const [large, far] = [size > largest, start > largest];
  const extra = extraOf([...(large ? [size, size] : []), ...(far ? [start] : [])]);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(version64, 4);
  entry.writeUInt16LE(large || far ? version64 : version, 6);
  entry.writeUInt16LE(flags, 8);
  entry.writeUInt16LE(date, 14);
  entry.writeUInt32LE(sum, 16);
  entry.writeUInt32LE(large ? elsewhere : size, 20);
  entry.writeUInt32LE(large ? elsewhere : size, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(extra.length, 30);
  entry.writeUInt32LE(far ? elsewhere : start, 42);
  return Buffer.concat([entry, name, extra]);
}

function endOf(
  { count, bytes, start }: { count: number; bytes: number; start: number },
  largest: number,
): Buffer {
  const is64 = start > largest || bytes > largest || count >= 0xffff;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(is64 ? 0xffff : count, 8);
  end.writeUInt16LE(is64 ? 0xffff : count, 10);
  end.writeUInt32LE(is64 ? elsewhere : bytes, 12);
  end.writeUInt32LE(is64 ? elsewhere : start, 16);
  if (!is64) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(version64, 12);
  end64.writeUInt16LE(version64, 14);
  [count, count, bytes, start].forEach((value, i) => end64.writeBigUInt64LE(BigInt(value), 24 + 8 * i));
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}
