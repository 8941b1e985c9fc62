/**
 * Row access to the shards of one hook. Measured at d = 192, random rows: 1.2 M rows/s from memory as float32, 0.8 M
 * from memory as float16 (each value widened through a table), fewer from files; so a hook's values are kept in the
 * fastest form that fits the memory budget.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { locateVectors } from '../formats/arrowVectors.ts';
import { float16Table, float16ToFloat32, float32ToFloat16 } from '../formats/float16.ts';
import type { Shard } from '../spec/manifests/capture.ts';
import { bytesOfType, type ShardType } from '../spec/shardTypes.ts';
import type { MapFile, MappedFile } from './mappedFile.ts';
import type { StoredBlock } from './storedRows.ts';

interface OpenShard {
  path: string;
  /** Byte offset of the values in the file. */
  start: number;
  /** The values, if they are kept in memory or the file is mapped. */
  values?: Uint16Array | Float32Array;
  /** The same memory. */
  bytes?: Uint8Array;
  mapped?: MappedFile;
  /** The open file, if there are no values. */
  fd?: number;
}

/** Files whose checksum this process has verified, keyed by path, size, time of change and checksum. */
const verified = new Set<string>();

/** Bytes that `storedBlocks` reads at once. */
const blockBytes = 2 ** 24;

type Keep = 'float32' | 'stored' | 'nothing';

export class HookRows {
  /** Bytes of memory that the values take once all shards have been read. */
  readonly residentBytes: number;
  #folder: string;
  #shards: readonly Shard[];
  /** [shards + 1]: the first row of each shard, and the number of all rows. */
  #firstRow: number[];
  #open: (OpenShard | undefined)[];
  #width: number;
  #itemBytes: number;
  #keep: Keep;
  #mapFile: MapFile | undefined;

  constructor(options: {
    folder: string;
    shards: readonly Shard[];
    width: number;
    dtype: ShardType;
    /** Bytes of memory the values may take. */
    memoryBudget: number;
    /** Whether float16 stays as it is in memory too. */
    asStored?: boolean;
    /** How files are mapped whose values are not kept; they are read when it is left out. */
    mapFile?: MapFile | undefined;
  }) {
    this.#folder = options.folder;
    this.#shards = options.shards;
    this.#width = options.width;
    this.#itemBytes = bytesOfType[options.dtype];
    const values = options.shards.reduce((sum, { rows }) => sum + rows, 0) * options.width;
    if (values * 4 <= options.memoryBudget && !options.asStored) this.#keep = 'float32';
    else this.#keep = values * this.#itemBytes <= options.memoryBudget ? 'stored' : 'nothing';
    this.residentBytes =
      this.#keep === 'nothing' ? 0 : values * (this.#keep === 'float32' ? 4 : this.#itemBytes);
    this.#mapFile = options.mapFile;
    this.#open = options.shards.map(() => undefined);
    this.#firstRow = [0];
    for (const shard of options.shards)
      this.#firstRow.push(this.#firstRow[this.#firstRow.length - 1] + shard.rows);
  }

  get #rows(): number {
    return this.#firstRow[this.#firstRow.length - 1];
  }

  /** Reads `count` consecutive rows from `start` into `out` [count, width]. */
  read(start: number, count: number, out: Float32Array): void {
    if (start < 0 || count < 0 || start + count > this.#rows)
      throw new RangeError(`rows ${start} to ${start + count} of ${this.#rows}`);
    for (let done = 0; done < count;) {
      const row = start + done;
      const shard = this.#shardOf(row);
      const rows = Math.min(count - done, this.#firstRow[shard + 1] - row);
      this.#copy(shard, row, rows, out, done);
      done += rows;
    }
  }

  gather(rows: Uint32Array, out: Float32Array): void {
    if (out.length < rows.length * this.#width)
      throw new RangeError(`${rows.length} rows of ${this.#width} don't fit ${out.length} values`);
    for (let i = 0; i < rows.length; i++) {
      if (rows[i] >= this.#rows) throw new RangeError(`row ${rows[i]} of ${this.#rows}`);
      this.#copy(this.#shardOf(rows[i]), rows[i], 1, out, i);
    }
  }

  /** The first `rows` rows as the files hold them, block by block and shard by shard; a block's array is used anew for the next. */
  *storedBlocks(rows: number): Generator<StoredBlock> {
    const atOnce = Math.max(1, Math.floor(blockBytes / (this.#width * this.#itemBytes)));
    let buffer = new ArrayBuffer(0);
    for (let index = 0; index < this.#shards.length && this.#firstRow[index] < rows; index++) {
      const first = this.#firstRow[index];
      // What is in memory is not read again: of a capture that was fetched into memory the file may be gone.
      const open = this.#open[index];
      const values = open?.mapped ? undefined : open?.values;
      const file = values ? null : this.#openFile(index);
      try {
        const count = Math.min(rows, this.#firstRow[index + 1]) - first;
        for (let row = 0; row < count; row += atOnce) {
          const length = Math.min(atOnce, count - row) * this.#width;
          const from = row * this.#width;
          if (buffer.byteLength < length * this.#itemBytes)
            buffer = new ArrayBuffer(length * this.#itemBytes);
          const bytes = new Uint8Array(buffer, 0, length * this.#itemBytes);
          const block =
            this.#itemBytes === 2 ? new Uint16Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
          if (file) readFully(file, bytes, file.start + from * this.#itemBytes);
          else if (values) narrow(values.subarray(from, from + length), block);
          yield { first: first + row, values: block };
        }
      } finally {
        if (file) closeSync(file.fd);
      }
    }
  }

  /** The type of number that `gatherStored` copies: float32 where numbers are kept in memory as such, and otherwise that of the files. */
  get gatheredAs(): ShardType {
    return this.#keep === 'float32' || this.#itemBytes === 4 ? 'float32' : 'float16';
  }

  /** Copies rows, in any order, to `into` [rows × width], in numbers of `gatheredAs`: nothing is done to each number. */
  gatherStored(rows: Int32Array, into: Uint8Array): void {
    const bytes = this.#width * bytesOfType[this.gatheredAs];
    if (into.length < rows.length * bytes)
      throw new RangeError(`${rows.length} rows of ${bytes} bytes don't fit ${into.length}`);
    const all = this.#rows;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (!(row >= 0 && row < all)) throw new RangeError(`row ${row} of ${all}`);
      const index = this.#shardOf(row);
      const shard = (this.#open[index] ??= this.#openShard(index));
      const from = (row - this.#firstRow[index]) * bytes;
      if (shard.bytes) into.set(shard.bytes.subarray(from, from + bytes), i * bytes);
      else readFully(shard, into.subarray(i * bytes, (i + 1) * bytes), shard.start + from);
    }
  }

  /** The given places of `out` get the rows at the same places of `rows`. */
  gatherAt(rows: Uint32Array, places: readonly number[], out: Float32Array): void {
    for (const place of places) this.#copy(this.#shardOf(rows[place]), rows[place], 1, out, place);
  }

  /** Whether what has been read stays in memory. */
  get keepsValues(): boolean {
    return this.#keep !== 'nothing';
  }

  /** The shards that have `count` rows from `start` on, at least one. */
  shardsOf(start: number, count: number): number[] {
    if (start < 0 || count < 1 || start + count > this.#rows)
      throw new RangeError(`rows ${start} to ${start + count} of ${this.#rows}`);
    const first = this.#shardOf(start);
    return Array.from({ length: this.#shardOf(start + count - 1) - first + 1 }, (_, at) => first + at);
  }

  /** Whether a shard is in memory. */
  isLoaded(index: number): boolean {
    const shard = this.#open[index];
    return shard?.values !== undefined && !shard.mapped;
  }

  /** Takes a shard into memory, where it is to be kept there. */
  load(index: number): void {
    this.#open[index] ??= this.#openShard(index);
  }

  /** Closes the file of a shard that isn't in memory. */
  letGo(index: number): void {
    const shard = this.#open[index];
    if (!shard || this.isLoaded(index)) return;
    closeShard(shard);
    this.#open[index] = undefined;
  }

  close(): void {
    const open = this.#open;
    this.#open = this.#shards.map(() => undefined);
    for (const shard of open) if (shard) closeShard(shard);
  }

  /** The shard of a row. All shards but the last usually have the same size, so that a division finds it; those of imported captures may not. */
  #shardOf(row: number): number {
    let shard = Math.min(Math.floor(row / this.#shards[0].rows), this.#shards.length - 1);
    while (row < this.#firstRow[shard]) shard--;
    while (row >= this.#firstRow[shard + 1]) shard++;
    return shard;
  }

  #copy(index: number, row: number, rows: number, out: Float32Array, outRow: number): void {
    const shard = (this.#open[index] ??= this.#openShard(index));
    const from = (row - this.#firstRow[index]) * this.#width;
    const length = rows * this.#width;
    const to = outRow * this.#width;
    if (shard.values) widen(shard.values, from, length, out, to);
    else widen(this.#readValues(shard, from, length), 0, length, out, to);
  }

  #readValues(shard: OpenShard, from: number, length: number): Uint16Array | Float32Array {
    const bytes = new Uint8Array(length * this.#itemBytes);
    readFully(shard, bytes, shard.start + from * this.#itemBytes);
    return this.#itemBytes === 2 ? new Uint16Array(bytes.buffer) : new Float32Array(bytes.buffer);
  }

  #openFile(index: number): OpenShard & { fd: number } {
    const { file, rows, sha256 } = this.#shards[index];
    const path = join(this.#folder, file);
    const fd = openSync(path, 'r');
    try {
      verify(fd, path, sha256);
      const item = this.#itemBytes === 2 ? 'float16' : 'float32';
      return { path, start: locateVectors(fd, path, { rows, width: this.#width, item }), fd };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #openShard(index: number): OpenShard {
    const { rows } = this.#shards[index];
    const shard = this.#openFile(index);
    const { path, start, fd } = shard;
    try {
      if (this.#keep === 'nothing') return this.#mapped(shard, rows) ?? shard;
      const stored = this.#readValues(shard, 0, rows * this.#width);
      closeSync(fd);
      const values =
        stored instanceof Uint16Array && this.#keep === 'float32' ? float16ToFloat32(stored) : stored;
      return { path, start, values, bytes: bytesOf(values) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The shard with its file mapped, and closed; null where that can't be done. */
  #mapped({ path, start, fd }: OpenShard & { fd: number }, rows: number): OpenShard | null {
    const length = rows * this.#width;
    if (start % this.#itemBytes !== 0) return null;
    const mapped = this.#mapFile?.(fd, start + length * this.#itemBytes);
    if (!mapped) return null;
    closeSync(fd);
    const { buffer, byteOffset } = mapped.bytes;
    const values =
      this.#itemBytes === 2
        ? new Uint16Array(buffer, byteOffset + start, length)
        : new Float32Array(buffer, byteOffset + start, length);
    return { path, start, values, bytes: bytesOf(values), mapped };
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function closeShard({ fd, mapped }: OpenShard): void {
  if (fd !== undefined) closeSync(fd);
  mapped?.unmap();
}

function widen(
  source: Uint16Array | Float32Array,
  from: number,
  length: number,
  out: Float32Array,
  to: number,
): void {
  if (source instanceof Float32Array) {
    out.set(source.subarray(from, from + length), to);
    return;
  }
  const table = float16Table();
  for (let i = 0; i < length; i++) out[to + i] = table[source[from + i]];
}

/** As a file holds them: what was widened comes back to the bits that it was. */
function narrow(
  values: Uint16Array | Float32Array,
  to: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
): void {
  if (values instanceof Float32Array && to instanceof Uint16Array) float32ToFloat16(values, to);
  else to.set(values);
}

function readFully({ fd, path }: { fd?: number; path: string }, into: Uint8Array, position: number): void {
  if (fd === undefined) throw new Error(`${path} is not open`);
  for (let at = 0; at < into.length;) {
    const read = readSync(fd, into, at, Math.min(into.length - at, 1 << 30), position + at);
    if (read === 0) throw new LazyscopeError('corrupt', `'${path}' ends early: capture again.`);
    at += read;
  }
}

function verify(fd: number, path: string, sha256: string): void {
  const { size, mtimeMs } = fstatSync(fd);
  const key = [path, size, mtimeMs, sha256].join('|');
  if (verified.has(key)) return;
  const hash = createHash('sha256');
  const block = Buffer.alloc(1 << 22);
  for (let at = 0; at < size;) {
    const read = readSync(fd, block, 0, block.length, at);
    if (read === 0) break;
    hash.update(block.subarray(0, read));
    at += read;
  }
  if (hash.digest('hex') !== sha256)
    throw new LazyscopeError('corrupt', `'${path}' doesn't match its checksum: capture again.`);
  verified.add(key);
}
