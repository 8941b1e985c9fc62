/**
 * The safetensors format: eight bytes of header length, a JSON header, raw little-endian tensors
 * (https://github.com/huggingface/safetensors#format). The header is checked against the file before any
 * byte of a tensor is believed; tensors are read one at a time, so a large file need not fit in memory.
 */
import { closeSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import { atomically, writeAll } from '../store/atomicWrite.ts';
import { bringIn } from '../store/remote/bringIn.ts';
import { bfloat16ToFloat32, float32ToBfloat16 } from './bfloat16.ts';
import { float16ToFloat32, float32ToFloat16 } from './float16.ts';
import { openFile } from './openFile.ts';
import { parseJson, type JsonBudget } from './parseJson.ts';

const itemBytes = {
  BOOL: 1, U8: 1, I8: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4, F64: 8, I64: 8, U64: 8,
} as const; // prettier-ignore
export type SafetensorsDtype = keyof typeof itemBytes;

/** Of the header: some two hundred thousand tensors. */
const headerJson: JsonBudget = { bytes: 100_000_000, values: 2_000_000, depth: 8 };
/** No tool makes tensors of more axes. */
const mostAxes = 32;

const entrySchema = z.object({
  dtype: z.enum(Object.keys(itemBytes) as [SafetensorsDtype, ...SafetensorsDtype[]]),
  shape: z.array(z.int().nonnegative()).max(mostAxes),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());

interface Entry {
  dtype: SafetensorsDtype;
  shape: number[];
  start: number;
  bytes: number;
}

export class SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  #entries: Map<string, Entry>;

  constructor(path: string, metadata: Record<string, string>, entries: Map<string, Entry>) {
    this.path = path;
    this.metadata = metadata;
    this.#entries = entries;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }
  has(name: string): boolean {
    return this.#entries.has(name);
  }
  shape(name: string): number[] {
    return [...this.#entry(name).shape];
  }
  dtype(name: string): SafetensorsDtype {
    return this.#entry(name).dtype;
  }

  /** The tensor, row-major, widened from F16/BF16 or narrowed from F64 and integers. */
  float32(name: string): Float32Array {
    const { dtype } = this.#entry(name);
    const bytes = this.#read(name);
    switch (dtype) {
      case 'F32':
        return new Float32Array(bytes);
      case 'F16':
        return float16ToFloat32(new Uint16Array(bytes));
      case 'BF16':
        return bfloat16ToFloat32(new Uint16Array(bytes));
      case 'F64':
        return Float32Array.from(new Float64Array(bytes));
      case 'I32':
        return Float32Array.from(new Int32Array(bytes));
      case 'I64':
        return Float32Array.from(new BigInt64Array(bytes), Number);
      default:
        throw this.#refuse(
          name,
          `has type ${dtype}, which can't be read as float32: save it as F32, F16 or BF16`,
        );
    }
  }

  /** The bytes of a floating-point tensor of 16 or 32 bits, read when they are asked for; undefined for another. */
  stored(name: string): { format: 'F32' | 'F16' | 'BF16'; read(): Uint8Array<ArrayBuffer> } | undefined {
    const { dtype } = this.#entry(name);
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') return undefined;
    return { format: dtype, read: () => new Uint8Array(this.#read(name)) };
  }

  float64(name: string): Float64Array {
    if (this.#entry(name).dtype === 'F64') return new Float64Array(this.#read(name));
    return Float64Array.from(this.float32(name));
  }

  /** An integer tensor that was stored as I32. */
  int32(name: string): Int32Array {
    const { dtype } = this.#entry(name);
    if (dtype !== 'I32') throw this.#refuse(name, `has type ${dtype} where I32 was expected`);
    return new Int32Array(this.#read(name));
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new LazyscopeError('bad_input', `'${this.path}' has no tensor named '${name}'.`);
    return entry;
  }

  /** `length` bytes of a tensor from byte `from` of it on, by default all that follow. */
  bytes(name: string, from = 0, length = this.#entry(name).bytes - from): ArrayBuffer {
    const { start, bytes } = this.#entry(name);
    if (from < 0 || length < 0 || from + length > bytes)
      throw new RangeError(`bytes ${from} to ${from + length} of ${bytes} of tensor ${name}`);
    const buffer = new ArrayBuffer(length);
    const { fd } = openFile(this.path);
    try {
      readFully(fd, new Uint8Array(buffer), start + from, this.path);
    } finally {
      closeSync(fd);
    }
    return buffer;
  }

  #read(name: string): ArrayBuffer {
    return this.bytes(name);
  }

  #refuse(name: string, why: string) {
    return new LazyscopeError('bad_input', `Tensor '${name}' of '${this.path}' ${why}.`);
  }
}

/** Opens and checks a file. Throws `not_found`, or `corrupt` naming the file when the header and the bytes disagree. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  await bringIn(path);
  const { fd, size } = openFile(path);
  try {
    const damaged = (why: string) =>
      new LazyscopeError(
        'corrupt',
        `'${path}' is not a whole safetensors file: ${why}; fetch or write it again.`,
      );
    if (size < 8) throw damaged(`it has ${size} bytes`);
    const lengthBytes = new Uint8Array(8);
    readFully(fd, lengthBytes, 0, path);
    const headerLength = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
    if (headerLength > size - 8 || headerLength > 100_000_000)
      throw damaged(`its header claims ${headerLength} bytes of a file of ${size}`);
    const headerBytes = new Uint8Array(headerLength);
    readFully(fd, headerBytes, 8, path);
    let header: unknown;
    try {
      header = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(headerBytes), path, headerJson);
    } catch (error) {
      if (isLazyscopeError(error) && !(error.cause instanceof SyntaxError)) throw error;
      throw damaged('its header is not JSON');
    }
    if (typeof header !== 'object' || header === null || Array.isArray(header))
      throw damaged('its header is not an object');
    const { metadata, entries } = checkHeader(header, 8 + headerLength, size, damaged);
    return new SafetensorsFile(path, metadata, entries);
  } finally {
    closeSync(fd);
  }
}

function checkHeader(header: object, dataStart: number, size: number, damaged: (why: string) => Error) {
  const entries = new Map<string, Entry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      const parsed = metadataSchema.safeParse(value);
      if (!parsed.success) throw damaged('its metadata holds something other than text');
      metadata = parsed.data;
      continue;
    }
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) throw damaged(`its entry for '${name}' has no valid dtype, shape and data_offsets`);
    const { dtype, shape, data_offsets: [from, to] } = parsed.data; // prettier-ignore
    const bytes = shape.reduce((product, n) => product * n, 1) * itemBytes[dtype];
    if (to - from !== bytes)
      throw damaged(`'${name}' is ${dtype} [${shape.join(', ')}], ${bytes} bytes, but has ${to - from}`);
    if (dataStart + to > size) throw damaged(`'${name}' ends at byte ${dataStart + to} of a file of ${size}`);
    entries.set(name, { dtype, shape, start: dataStart + from, bytes });
  }
  // The format allows neither overlaps nor holes: both would let bytes mean two things or nothing.
  let at = dataStart;
  for (const [name, entry] of [...entries].sort(
    (a, b) => a[1].start - b[1].start || a[1].bytes - b[1].bytes,
  )) {
    if (entry.start < at) throw damaged(`'${name}' overlaps another tensor`);
    if (entry.start > at) throw damaged(`there is a hole before '${name}'`);
    at += entry.bytes;
  }
  if (at !== size) throw damaged(`its tensors end at byte ${at} of a file of ${size}`);
  return { metadata, entries };
}

function readFully(fd: number, into: Uint8Array, position: number, path: string): void {
  for (let at = 0; at < into.length;) {
    const read = readSync(fd, into, at, Math.min(into.length - at, 1 << 30), position + at);
    if (read === 0)
      throw new LazyscopeError('corrupt', `'${path}' ends before byte ${position + into.length}.`);
    at += read;
  }
}

export interface TensorToWrite {
  shape: readonly number[];
  data: Float32Array | Float64Array | Int32Array | Uint16Array | Uint8Array;
  /** How a Float32Array is stored; the others have one type each. */
  dtype?: 'F32' | 'F16' | 'BF16';
}

/** Writes atomically. Throws `bad_input` when a shape does not match its data, before anything is written. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, { shape, data, dtype }] of Object.entries(tensors)) {
    if (shape.reduce((product, n) => product * n, 1) !== data.length)
      throw new LazyscopeError(
        'bad_input',
        `Tensor '${name}' for '${path}' has ${data.length} values but the shape [${shape.join(', ')}].`,
      );
    const stored = storedDtype(data, dtype);
    const bytes = data.length * itemBytes[stored];
    header[name] = { dtype: stored, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  let json = Buffer.from(JSON.stringify(header));
  // Tensors start at a multiple of eight; the format pads the header with spaces.
  json = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await atomically(path, async (beside) => {
    const handle = await open(beside, 'wx');
    try {
      await writeAll(handle, length);
      await writeAll(handle, json);
      for (const { data, dtype } of Object.values(tensors)) {
        const stored = encode(data, dtype);
        await writeAll(handle, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
      }
    } finally {
      await handle.close();
    }
  });
}

function storedDtype(data: TensorToWrite['data'], dtype: TensorToWrite['dtype']): SafetensorsDtype {
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof Int32Array) return 'I32';
  if (data instanceof Uint16Array) return 'U16';
  if (data instanceof Uint8Array) return 'U8';
  return dtype ?? 'F32';
}

function encode(data: TensorToWrite['data'], dtype: TensorToWrite['dtype']) {
  if (!(data instanceof Float32Array)) return data;
  if (dtype === 'F16') return float32ToFloat16(data);
  if (dtype === 'BF16') return float32ToBfloat16(data);
  return data;
}
