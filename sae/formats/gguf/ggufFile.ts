/**
 * GGUF, versions 2 and 3: metadata, descriptions of tensors, aligned raw tensors, little-endian throughout
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Everything is checked against the file's size before it is
 * believed. Tensors are read and dequantised when they are asked for, whole or by rows.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { LazyscopeError } from '../../errors.ts';
import { openFile } from '../openFile.ts';
import { dequantize } from './dequantize.ts';
import { ggufTypeOf, readableTypes } from './ggufTypes.ts';
import type { GgufTensorType, GgufType } from './ggufTypes.ts';
import { HeaderCursor } from './headerCursor.ts';
import { readMetadata } from './ggufMetadata.ts';
import type { GgufValue } from './ggufMetadata.ts';

/** ggml names tensors in 64 bytes; converters have written somewhat longer ones. */
const longestName = 1024;
/** ggml's tensors have up to four axes. */
const mostAxes = 4;
/** The largest mixtures have some ten thousand. */
const mostTensors = 1 << 17;
/** Of metadata and descriptions. The largest vocabularies take some 20 MB. */
const longestHeader = 512 << 20;

interface Entry {
  type: GgufTensorType;
  /** Row-major: the reverse of the file's order. */
  shape: number[];
  start: number;
  bytes: number;
}

export class GgufFile {
  readonly path: string;
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(
    path: string,
    version: number,
    metadata: ReadonlyMap<string, GgufValue>,
    entries: ReadonlyMap<string, Entry>,
  ) {
    this.path = path;
    this.version = version;
    this.metadata = metadata;
    this.#entries = entries;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }
  has(name: string): boolean {
    return this.#entries.has(name);
  }
  /** Row-major, as NumPy and PyTorch say it: the last axis is contiguous. */
  shape(name: string): number[] {
    return [...this.#entry(name).shape];
  }
  /** Name of its number format, also of one that can't be read. */
  dtype(name: string): string {
    return this.#entry(name).type.name;
  }
  /** The same, or undefined for one that can't be read. */
  readableType(name: string): GgufType | undefined {
    return this.#entry(name).type.readable;
  }
  /** Bytes it takes in the file. */
  bytes(name: string): number {
    return this.#entry(name).bytes;
  }

  /** The tensor, row-major. Throws `bad_input` for a format that can't be read, `corrupt` when the file has been cut. */
  float32(name: string): Float32Array {
    const { shape } = this.#entry(name);
    const width = shape.at(-1) ?? 1;
    return this.rows(name, 0, width === 0 ? 0 : sizeOf(shape) / width);
  }

  /** Rows [first, first + count) of the tensor seen as a matrix of its last axis; as `float32`. */
  rows(name: string, first: number, count: number): Float32Array {
    const { type, bytes } = this.stored(name, first, count);
    const { shape } = this.#entry(name);
    const out = new Float32Array(count * (shape.at(-1) ?? 1));
    dequantize(type, bytes, out);
    return out;
  }

  /** The bytes of rows [first, first + count), all of them by default, in their own format; as `float32`. */
  stored(name: string, first = 0, count?: number): { type: GgufType; bytes: Uint8Array<ArrayBuffer> } {
    const { type, shape, start } = this.#entry(name);
    if (type.readable === undefined)
      throw new LazyscopeError(
        'bad_input',
        `Tensor '${name}' of '${this.path}' has type ${type.name}, which can't be read: get the model in one of ${readableTypes.join(', ')}.`,
      );
    const width = shape.at(-1) ?? 1;
    const all = width === 0 ? 0 : sizeOf(shape) / width;
    const wanted = count ?? all - first;
    if (!(first >= 0 && wanted >= 0 && first + wanted <= all))
      throw new LazyscopeError(
        'bad_input',
        `Rows ${first} to ${first + wanted} of tensor '${name}' of '${this.path}' don't exist: it has ${all}.`,
      );
    const rowBytes = (width / type.values) * type.bytes;
    const bytes = new Uint8Array(wanted * rowBytes);
    this.#read(bytes, start + first * rowBytes);
    return { type: type.readable, bytes };
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new LazyscopeError('bad_input', `'${this.path}' has no tensor named '${name}'.`);
    return entry;
  }

  #read(into: Uint8Array, position: number): void {
    const fd = openSync(this.path, 'r');
    try {
      for (let at = 0; at < into.length;) {
        const read = readSync(fd, into, at, Math.min(into.length - at, 1 << 30), position + at);
        if (read === 0)
          throw new LazyscopeError('corrupt', `'${this.path}' ends before byte ${position + into.length}.`);
        at += read;
      }
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * Opens and checks a file; reads its header alone. Throws `not_found`, `corrupt` naming what is wrong with the file, or
 * `bad_input` for a version or byte order that isn't read.
 */
export function openGguf(path: string): GgufFile {
  const { fd, size } = openFile(path);
  try {
    const damaged = (why: string) =>
      new LazyscopeError('corrupt', `'${path}' is not a whole GGUF file: ${why}; fetch it again.`);
    const cursor = new HeaderCursor(fd, Math.min(size, longestHeader), damaged);
    if (cursor.left < 24 || cursor.take(4).toString('latin1') !== 'GGUF')
      throw damaged("it doesn't begin with GGUF");
    const version = cursor.uint32();
    if (version !== 2 && version !== 3)
      throw new LazyscopeError(
        'bad_input',
        (version & 0xffff) === 0
          ? `'${path}' is a big-endian GGUF file, which can't be read: get the little-endian one.`
          : `'${path}' is GGUF version ${version}, and versions 2 and 3 can be read: convert the model again.`,
      );
    const tensorCount = cursor.uint64('the number of tensors');
    const pairCount = cursor.uint64('the number of metadata pairs');
    const metadata = readMetadata(cursor, pairCount, damaged);
    const entries = readEntries(cursor, tensorCount, damaged);
    const alignment = metadata.get('general.alignment') ?? 32;
    if (typeof alignment !== 'number' || alignment < 8 || !Number.isInteger(Math.log2(alignment)))
      throw damaged(`its alignment is ${String(alignment)}`);
    const dataStart = Math.ceil(cursor.position / alignment) * alignment;
    checkPlaces(entries, dataStart, alignment, size, damaged);
    return new GgufFile(path, version, metadata, entries);
  } finally {
    closeSync(fd);
  }
}

/** Tensors by name, `start` still counted from the beginning of the data. */
function readEntries(
  cursor: HeaderCursor,
  count: number,
  damaged: (why: string) => Error,
): Map<string, Entry> {
  // The shortest description, of a scalar without a name, has 24 bytes.
  if (count > mostTensors)
    throw damaged(`it claims ${count} tensors where ${mostTensors} are the most that is read`);
  if (count * 24 > cursor.left) throw damaged(`it can't hold the ${count} tensors that it claims`);
  const entries = new Map<string, Entry>();
  for (let i = 0; i < count; i++) {
    const name = cursor.text(longestName, `the name of tensor ${i}`);
    const axes = cursor.uint32();
    if (axes > mostAxes) throw damaged(`'${name}' has ${axes} axes`);
    const shape = Array.from({ length: axes }, () => cursor.uint64(`an axis of '${name}'`)).reverse();
    const id = cursor.uint32();
    const start = cursor.uint64(`the offset of '${name}'`);
    const type = ggufTypeOf(id);
    if (!type) throw damaged(`'${name}' has the unknown type ${id}`);
    const values = sizeOf(shape);
    if (!Number.isSafeInteger(values * type.bytes)) throw damaged(`'${name}' has ${values} values`);
    const width = shape.at(-1) ?? 1;
    if (width % type.values !== 0)
      throw damaged(`'${name}' has rows of ${width} values, and ${type.name} blocks of ${type.values}`);
    if (entries.has(name)) throw damaged(`it has two tensors named '${name}'`);
    entries.set(name, { type, shape, start, bytes: (values / type.values) * type.bytes });
  }
  return entries;
}

/** Makes offsets count from the file's beginning; each tensor must lie within the file, aligned, alone. */
function checkPlaces(
  entries: Map<string, Entry>,
  dataStart: number,
  alignment: number,
  size: number,
  damaged: (why: string) => Error,
): void {
  for (const [name, entry] of entries) {
    if (entry.start % alignment !== 0) throw damaged(`'${name}' is not aligned to ${alignment} bytes`);
    entry.start += dataStart;
    if (entry.start + entry.bytes > size)
      throw damaged(`'${name}' ends at byte ${entry.start + entry.bytes} of a file of ${size}`);
  }
  let end = 0;
  for (const [name, entry] of [...entries].sort(
    (a, b) => a[1].start - b[1].start || a[1].bytes - b[1].bytes,
  )) {
    if (entry.start < end) throw damaged(`'${name}' overlaps another tensor`);
    end = entry.start + entry.bytes;
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
