/** NumPy's .npy: a magic string, a Python dictionary as header, raw numbers (numpy.lib.format, versions 1 to 3). */
import { LazyscopeError } from '../errors.ts';
import { float16ToFloat32 } from './float16.ts';

export interface NumpyArray {
  shape: number[];
  /** Row-major, whatever order it was stored in. */
  data: Float32Array;
}

const magic = '\x93NUMPY';

/** What a header says: NumPy's name of the type, the order and the shape, and the byte at which numbers begin. */
export interface NpyHeader {
  descriptor: string;
  fortran: boolean;
  shape: number[];
  end: number;
}

/** Bytes from the beginning of an array's file that hold the header of any array of numbers. */
export const longestNpyHeader = 1 << 16;

/** `name` stands for the file in the `corrupt` error. The bytes may be the beginning of the file alone. */
export function readNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const damaged = (why: string) => damagedArray(name, why);
  // A buffer has at most 4 GiB.
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, longestNpyHeader));
  if (view.length < 12 || view.toString('latin1', 0, 6) !== magic) throw damaged('it does not begin as one');
  const long = view[6] >= 2;
  const start = long ? 12 : 10;
  const end = start + (long ? view.readUInt32LE(8) : view.readUInt16LE(8));
  if (end > view.length) throw damaged('its header is cut off');
  const header = view.toString('latin1', start, end);
  const descriptor = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1] === 'True';
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (descriptor === undefined || sizes === undefined) throw damaged('its header lacks descr or shape');
  const shape = sizes.split(',').map((size) => size.trim()).filter((size) => size !== '').map(Number); // prettier-ignore
  const isShape = shape.length <= 32 && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  const count = shape.reduce((product, n) => product * n, 1);
  if (!isShape || !Number.isSafeInteger(count)) throw damaged(`its shape is (${shape.join(', ')})`);
  return { descriptor, fortran, shape, end };
}

function damagedArray(name: string, why: string): LazyscopeError {
  return new LazyscopeError('corrupt', `'${name}' is not a whole NumPy array: ${why}; fetch it again.`);
}

/** `name` stands for the file in the `corrupt` and `bad_input` errors. */
export function decodeNpy(bytes: Uint8Array, name: string): NumpyArray {
  const { descriptor, fortran, shape, end } = readNpyHeader(bytes, name);
  const count = shape.reduce((product, n) => product * n, 1);
  const read = Object.hasOwn(readers, descriptor) ? readers[descriptor] : undefined;
  if (!read)
    throw new LazyscopeError(
      'bad_input',
      `'${name}' holds numbers of type ${descriptor}: save it as float32.`,
    );
  if (bytes.length - end !== count * read.bytes)
    throw damagedArray(name, `its shape is (${shape.join(', ')}) but it has ${bytes.length - end} bytes`);
  // Copied, because a view must begin at a multiple of its item's size.
  const data = read.decode(new Uint8Array(bytes.subarray(end)).buffer);
  return { shape, data: fortran ? toRowMajor(data, shape) : data };
}

const readers: Record<string, { bytes: number; decode: (buffer: ArrayBuffer) => Float32Array }> = {
  '<f2': { bytes: 2, decode: (buffer) => float16ToFloat32(new Uint16Array(buffer)) },
  '<f4': { bytes: 4, decode: (buffer) => new Float32Array(buffer) },
  '<f8': { bytes: 8, decode: (buffer) => Float32Array.from(new Float64Array(buffer)) },
  '<i4': { bytes: 4, decode: (buffer) => Float32Array.from(new Int32Array(buffer)) },
  '<i8': { bytes: 8, decode: (buffer) => Float32Array.from(new BigInt64Array(buffer), Number) },
};

function toRowMajor(data: Float32Array, shape: number[]): Float32Array {
  const out = new Float32Array(data.length);
  const index = shape.map(() => 0);
  for (const value of data) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) at = at * shape[axis] + index[axis];
    out[at] = value;
    // The first axis runs fastest in Fortran's order.
    for (let axis = 0; axis < shape.length && ++index[axis] === shape[axis]; axis++) index[axis] = 0;
  }
  return out;
}

/** float32, row-major, version 1. */
export function encodeNpy(array: NumpyArray): Uint8Array {
  return Buffer.concat(npyPieces(array));
}

/** The same as the header and the numbers, which are not copied. */
export function npyPieces({ shape, data }: NumpyArray): [header: Uint8Array, numbers: Uint8Array] {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Numbers begin at a multiple of 64.
  const padded = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.write(magic, 0, 'latin1');
  head[6] = 1;
  head.writeUInt16LE(padded.length, 8);
  const numbers = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [Buffer.concat([head, Buffer.from(padded, 'latin1')]), numbers];
}
