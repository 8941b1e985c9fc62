/**
 * Zip archives read by ranges: the directory at the end first, then each file when it is asked for, so that an archive may be
 * larger than memory. Stored and deflated files, zip64. (PKWARE's APPNOTE.TXT.)
 */
import { closeSync, createReadStream, createWriteStream, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { LazyscopeError } from '../errors.ts';
import { openFile } from './openFile.ts';

interface ZipEntry {
  method: number;
  /** Of the content, uncompressed. */
  checksum: number;
  compressedBytes: number;
  bytes: number;
  headerStart: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const directorySignature = 0x02014b50;
const localSignature = 0x04034b50;
/** In a field of 32 bits: the value stands in the zip64 extra field. */
const elsewhere = 0xffffffff;
const stored = 0;
const deflated = 8;

/** An inflated file may have this many times its packed size, and this many bytes more; and so may all of them together. */
const mostInflation = 4;
const freeInflation = 64 << 20;
/** Bytes beyond four times what is asked for that are read to check them. */
const mostChecked = 64 << 20;

export class ZipFile {
  readonly path: string;
  /** Names whose content was found to have its checksum. */
  readonly #checked = new Set<string>();
  /** The file that was inflated last, because a range of it costs as much as all of it. */
  #inflated: { name: string; bytes: Uint8Array<ArrayBuffer> } | undefined;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  readonly #damaged: (why: string, cause?: unknown) => LazyscopeError;
  /** PyTorch can be told to write none (torch.serialization.set_crc32_options); 0 stands in all places then. */
  readonly #hasChecksums: boolean;

  constructor(
    path: string,
    entries: ReadonlyMap<string, ZipEntry>,
    damaged: (why: string, cause?: unknown) => LazyscopeError,
  ) {
    this.path = path;
    this.#entries = entries;
    this.#damaged = damaged;
    this.#hasChecksums = [...entries.values()].some(({ checksum }) => checksum !== 0);
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }
  /** Bytes of a file's content, or undefined when there is no such file. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.bytes;
  }

  /** Whether a range of a file costs no more than its length. */
  isStored(name: string): boolean {
    return this.#entry(name).method === stored;
  }

  /** The content, checked against its checksum. Throws `corrupt`. */
  read(name: string): Uint8Array<ArrayBuffer> {
    const entry = this.#entry(name);
    const content = this.#raw(name, entry, 0, entry.compressedBytes);
    const bytes = entry.method === deflated ? this.#inflate(name, entry, content) : content;
    this.#check(name, entry, () => checksum(bytes));
    return bytes;
  }

  /**
   * Bytes [start, start + length) of the content, which is checked against its checksum the first time, unless a small part of
   * a large file is asked for. Throws `corrupt`.
   */
  readRange(name: string, start: number, length: number): Uint8Array<ArrayBuffer> {
    const entry = this.#entry(name);
    if (start < 0 || length < 0 || start + length > entry.bytes)
      throw this.#damaged(`'${name}' has ${entry.bytes} bytes, and ${start + length} are asked for`);
    if (entry.method !== stored) {
      if (this.#inflated?.name !== name) this.#inflated = { name, bytes: this.read(name) };
      return this.#inflated.bytes.slice(start, start + length);
    }
    const isWhole = start === 0 && length === entry.bytes;
    const bytes = this.#raw(name, entry, start, length);
    const isCheap = entry.bytes <= mostChecked + 4 * length;
    if (isCheap && !this.#checked.has(name)) {
      this.#check(name, entry, () => (isWhole ? checksum(bytes) : this.#checksumOf(name, entry)));
      this.#checked.add(name);
    }
    return bytes;
  }

  /**
   * Writes the content to a new file `to` piece by piece, whatever its size, and checks length and checksum on the way. What is there after
   * an error is the caller's to remove. Throws `corrupt`.
   */
  async extract(name: string, to: string, signal?: AbortSignal): Promise<void> {
    const entry = this.#entry(name);
    const start = this.#contentStart(name, entry);
    let [bytes, found] = [0, 0];
    const otherLength = this.#damaged(`'${name}' has another length than its directory says`);
    const checked = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        bytes += piece.length;
        // More than was announced never reaches the disk.
        if (bytes > entry.bytes) throw otherLength;
        found = crc32(piece, found);
        yield piece;
      }
    };
    const options = { start, end: start + entry.compressedBytes - 1, highWaterMark: 1 << 20 };
    const packed = entry.compressedBytes > 0 ? createReadStream(this.path, options) : Readable.from([]);
    const target = createWriteStream(to, { flags: 'wx', highWaterMark: 1 << 20 });
    try {
      if (entry.method === deflated)
        await pipeline(packed, createInflateRaw({ chunkSize: 1 << 20 }), checked, target, { signal });
      else await pipeline(packed, checked, target, { signal });
    } catch (cause) {
      if (isOfTheArchive(cause)) throw this.#damaged(`'${name}' can't be unpacked`, cause);
      throw cause;
    }
    if (bytes !== entry.bytes) throw otherLength;
    this.#check(name, entry, () => found);
  }

  #check(name: string, entry: ZipEntry, found: () => number): void {
    if (this.#hasChecksums && found() !== entry.checksum)
      throw this.#damaged(`the checksum of '${name}' is wrong`);
  }

  #checksumOf(name: string, entry: ZipEntry): number {
    const block = 16 << 20;
    let value = 0;
    for (let at = 0; at < entry.bytes; at += block)
      value = crc32(this.#raw(name, entry, at, Math.min(block, entry.bytes - at)), value);
    return value;
  }

  #entry(name: string): ZipEntry {
    const entry = this.#entries.get(name);
    if (!entry) throw this.#damaged(`it has no file '${name}'`);
    return entry;
  }

  #raw(name: string, entry: ZipEntry, start: number, length: number): Uint8Array<ArrayBuffer> {
    const contentStart = this.#contentStart(name, entry);
    const { fd } = openFile(this.path);
    try {
      const bytes = new Uint8Array(length);
      readInto(fd, bytes, contentStart + start, this.#damaged);
      return bytes;
    } finally {
      closeSync(fd);
    }
  }

  /** Where the packed content of a file begins. */
  #contentStart(name: string, entry: ZipEntry): number {
    const { fd } = openFile(this.path);
    try {
      const header = readAt(fd, entry.headerStart, 30, this.#damaged);
      if (header.readUInt32LE(0) !== localSignature)
        throw this.#damaged(`'${name}' is not where it should be`);
      return entry.headerStart + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    } finally {
      closeSync(fd);
    }
  }

  #inflate(name: string, entry: ZipEntry, content: Uint8Array): Uint8Array<ArrayBuffer> {
    let bytes: Buffer;
    try {
      bytes = inflateRawSync(content, { maxOutputLength: Math.max(1, entry.bytes) });
    } catch (cause) {
      throw this.#damaged(`'${name}' can't be unpacked`, cause);
    }
    if (bytes.length !== entry.bytes) throw this.#damaged(`'${name}' unpacks to ${bytes.length} bytes`);
    return Uint8Array.from(bytes);
  }
}

/** An error of inflating, rather than of reading, writing or being stopped. */
function isOfTheArchive(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

/**
 * Reads the directory. `inflation` is how many times its packed size a file may have, for archives of which it is known that they
 * are packed more tightly. Throws `not_found`, or `corrupt` naming the archive.
 */
export function openZip(path: string, inflation = mostInflation): ZipFile {
  const { fd, size } = openFile(path);
  const damaged = (why: string, cause?: unknown) =>
    new LazyscopeError('corrupt', `'${path}' is not a whole zip file: ${why}; fetch it again.`, { cause });
  try {
    return new ZipFile(path, readDirectory(fd, size, inflation, damaged), damaged);
  } finally {
    closeSync(fd);
  }
}

type Damaged = (why: string, cause?: unknown) => LazyscopeError;

function readDirectory(fd: number, size: number, inflation: number, damaged: Damaged): Map<string, ZipEntry> {
  const { count, start, bytes } = findDirectory(fd, size, damaged);
  if (start + bytes > size || count * 46 > bytes) throw damaged('its directory reaches beyond its end');
  const directory = readAt(fd, start, bytes, damaged);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  let [packed, unpacked] = [0, 0];
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes || directory.readUInt32LE(at) !== directorySignature)
      throw damaged('its directory is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => directory.readUInt16LE(at + o));
    const extraStart = at + 46 + nameLength;
    if (extraStart + extraLength + commentLength > bytes) throw damaged('its directory is damaged');
    const name = directory.toString('utf8', at + 46, extraStart);
    const entry = {
      method: directory.readUInt16LE(at + 10),
      checksum: directory.readUInt32LE(at + 16),
      compressedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      headerStart: directory.readUInt32LE(at + 42),
    };
    readZip64(entry, directory.subarray(extraStart, extraStart + extraLength), damaged);
    if (directory.readUInt16LE(at + 8) & 1) throw damaged(`'${name}' is encrypted`);
    if (entry.method !== stored && entry.method !== deflated)
      throw damaged(`'${name}' is packed by method ${entry.method}`);
    if (entry.method === stored && entry.bytes !== entry.compressedBytes)
      throw damaged(`'${name}' has two sizes`);
    if (entry.headerStart + 30 + entry.compressedBytes > size)
      throw damaged(`'${name}' reaches beyond its end`);
    // Of two files of one name each reader takes another.
    if (entries.has(name)) throw damaged(`it has two files named '${name}'`);
    entries.set(name, entry);
    packed += entry.compressedBytes;
    unpacked += entry.bytes;
    if (packed > size) throw damaged('its files lie on top of each other');
    if (
      entry.bytes > inflation * entry.compressedBytes + freeInflation ||
      unpacked > inflation * size + freeInflation
    )
      throw damaged(
        `'${name}' would unpack to ${entry.bytes} bytes from ${entry.compressedBytes}, more than is allowed; save it without compression`,
      );
    at = extraStart + extraLength + commentLength;
  }
  return entries;
}

/** The record at the end, behind which there may be a comment. */
function findDirectory(fd: number, size: number, damaged: Damaged) {
  const tailStart = Math.max(0, size - 22 - 0xffff);
  const tail = readAt(fd, tailStart, size - tailStart, damaged);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw damaged('it has no directory');
  const directory = {
    count: tail.readUInt16LE(end + 10),
    bytes: tail.readUInt32LE(end + 12),
    start: tail.readUInt32LE(end + 16),
  };
  const locatorStart = tailStart + end - 20;
  const is64 = directory.count === 0xffff || directory.bytes === elsewhere || directory.start === elsewhere;
  if (!is64 || locatorStart < 0) return directory;
  const locator = readAt(fd, locatorStart, 20, damaged);
  if (locator.readUInt32LE(0) !== end64LocatorSignature) return directory;
  const recordStart = safe(locator.readBigUInt64LE(8), damaged);
  if (recordStart + 56 > size) throw damaged('its directory reaches beyond its end');
  const record = readAt(fd, recordStart, 56, damaged);
  if (record.readUInt32LE(0) !== end64Signature) throw damaged('its directory is damaged');
  return {
    count: safe(record.readBigUInt64LE(32), damaged),
    bytes: safe(record.readBigUInt64LE(40), damaged),
    start: safe(record.readBigUInt64LE(48), damaged),
  };
}

/** Takes from the zip64 extra field what didn't fit; it holds only that, in this order. */
function readZip64(entry: ZipEntry, extra: Buffer, damaged: Damaged): void {
  const missing = (['bytes', 'compressedBytes', 'headerStart'] as const).filter(
    (field) => entry[field] === elsewhere,
  );
  if (missing.length === 0) return;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const length = Math.min(extra.readUInt16LE(at + 2), extra.length - at - 4);
    missing.forEach((field, i) => {
      if (8 * (i + 1) > length) throw damaged('its directory is damaged');
      entry[field] = safe(extra.readBigUInt64LE(at + 4 + 8 * i), damaged);
    });
    return;
  }
}

function safe(value: bigint, damaged: Damaged): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged('its directory is damaged');
  return Number(value);
}

function checksum(bytes: Uint8Array): number {
  let value = 0;
  // crc32 takes at most 2 GiB at once.
  for (let at = 0; at < bytes.length; at += 1 << 30) value = crc32(bytes.subarray(at, at + (1 << 30)), value);
  return value;
}

function readAt(fd: number, position: number, length: number, damaged: Damaged): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(length);
  readInto(fd, bytes, position, damaged);
  return bytes;
}

function readInto(fd: number, into: Uint8Array, position: number, damaged: Damaged): void {
  for (let at = 0; at < into.length;) {
    const read = readSync(fd, into, at, Math.min(into.length - at, 1 << 30), position + at);
    if (read === 0) throw damaged(`it ends before byte ${position + into.length}`);
    at += read;
  }
}
