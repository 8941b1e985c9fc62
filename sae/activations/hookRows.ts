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
import { float16Table, float16ToFloat32 } from '../formats/float16.ts';
import type { Shard } from '../spec/manifests/capture.ts';
import type { ShardType } from '../spec/shardTypes.ts';

interface OpenShard {
  path: string;
  /** Byte offset of the values in the file. */
  start: number;
  /** The values, if they are kept in memory. */
  values?: Uint16Array | Float32Array;
  /** The open file, if they are not. */
  fd?: number;
}

/** Files whose checksum this process has verified, keyed by path, size, time of change and checksum. */
const verified = new Set<string>();

/** Rows as a file holds them: float16 by their bits. */
export interface StoredBlock {
  /** The number of the first row. */
  readonly first: number;
  /** [rows × width] */
  readonly values: Uint16Array | Float32Array;
}

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

  constructor(options: {
    folder: string;
    shards: readonly Shard[];
    width: number;
    dtype: ShardType;
    /** Bytes of memory the values may take. */
    memoryBudget: number;
  }) {
    this.#folder = options.folder;
    this.#shards = options.shards;
    this.#width = options.width;
    this.#itemBytes = options.dtype === 'float16' ? 2 : 4;
    const values = options.shards.reduce((sum, { rows }) => sum + rows, 0) * options.width;
    if (values * 4 <= options.memoryBudget) this.#keep = 'float32';
    else this.#keep = values * this.#itemBytes <= options.memoryBudget ? 'stored' : 'nothing';
    this.residentBytes =
      this.#keep === 'nothing' ? 0 : values * (this.#keep === 'float32' ? 4 : this.#itemBytes);
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
    let buffer = new ArrayBuffer(0);
    for (let index = 0; index < this.#shards.length && this.#firstRow[index] < rows; index++) {
      const first = this.#firstRow[index];
      const file = this.#openFile(index);
      try {
        const count = Math.min(rows, this.#firstRow[index + 1]) - first;
        const atOnce = Math.max(1, Math.floor(blockBytes / (this.#width * this.#itemBytes)));
        for (let row = 0; row < count; row += atOnce) {
          const length = Math.min(atOnce, count - row) * this.#width;
          if (buffer.byteLength < length * this.#itemBytes)
            buffer = new ArrayBuffer(length * this.#itemBytes);
          const bytes = new Uint8Array(buffer, 0, length * this.#itemBytes);
          readFully(file, bytes, file.start + row * this.#width * this.#itemBytes);
          const values =
            this.#itemBytes === 2 ? new Uint16Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
          yield { first: first + row, values };
        }
      } finally {
        closeSync(file.fd);
      }
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
    return this.#open[index]?.values !== undefined;
  }

  /** Takes a shard into memory, where it is to be kept there. */
  load(index: number): void {
    this.#open[index] ??= this.#openShard(index);
  }

  /** Closes the file of a shard that isn't in memory. */
  letGo(index: number): void {
    const fd = this.#open[index]?.fd;
    if (fd === undefined) return;
    closeSync(fd);
    this.#open[index] = undefined;
  }

  close(): void {
    for (const shard of this.#open) if (shard?.fd !== undefined) closeSync(shard.fd);
    this.#open = this.#shards.map(() => undefined);
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
      if (this.#keep === 'nothing') return shard;
      const stored = this.#readValues(shard, 0, rows * this.#width);
      closeSync(fd);
      const values =
        stored instanceof Uint16Array && this.#keep === 'float32' ? float16ToFloat32(stored) : stored;
      return { path, start, values };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }
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
