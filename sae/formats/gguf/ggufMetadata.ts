/**
 * The metadata of a GGUF file: keys and values of twelve scalar types, text, and arrays of any of them. 64-bit integers
 * become numbers where a double holds them exactly, and bigints elsewhere.
 */
import type { HeaderCursor } from './headerCursor.ts';

export type GgufValue =
  | number
  | bigint
  | boolean
  | string
  | GgufValue[]
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

type Damaged = (why: string) => Error;
type Scalar = {
  bytes: number;
  read: (bytes: Buffer) => GgufValue;
  array?: new (buffer: ArrayBuffer) => GgufValue;
};

const exact = (value: bigint): number | bigint =>
  value >= -BigInt(Number.MAX_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

const scalars: Record<number, Scalar> = {
  0: { bytes: 1, read: (b) => b.readUInt8(0), array: Uint8Array },
  1: { bytes: 1, read: (b) => b.readInt8(0), array: Int8Array },
  2: { bytes: 2, read: (b) => b.readUInt16LE(0), array: Uint16Array },
  3: { bytes: 2, read: (b) => b.readInt16LE(0), array: Int16Array },
  4: { bytes: 4, read: (b) => b.readUInt32LE(0), array: Uint32Array },
  5: { bytes: 4, read: (b) => b.readInt32LE(0), array: Int32Array },
  6: { bytes: 4, read: (b) => b.readFloatLE(0), array: Float32Array },
  7: { bytes: 1, read: (b) => b.readUInt8(0) !== 0 },
  10: { bytes: 8, read: (b) => exact(b.readBigUInt64LE(0)) },
  11: { bytes: 8, read: (b) => exact(b.readBigInt64LE(0)) },
  12: { bytes: 8, read: (b) => b.readDoubleLE(0), array: Float64Array },
};
const stringType = 8;
const arrayType = 9;

/** The format says that keys are at most this long. */
const longestKey = 65_535;
/** Chat templates have some ten thousand bytes. */
const longestText = 64 << 20;
const deepestArray = 4;
const mostPairs = 1 << 16;
/** Of arrays whose entries become an object each: ten times the largest vocabulary. */
const mostObjects = 1 << 22;

/** Throws what `damaged` makes of a value that the rest of the header can't hold, of an unknown type, or a key given twice. */
export function readMetadata(cursor: HeaderCursor, count: number, damaged: Damaged): Map<string, GgufValue> {
  // A key without letters and a byte: 13.
  if (count > mostPairs)
    throw damaged(`it claims ${count} metadata pairs where ${mostPairs} are the most that is read`);
  if (count * 13 > cursor.left) throw damaged(`it can't hold the ${count} metadata pairs that it claims`);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.text(longestKey, `metadata key ${i}`);
    if (metadata.has(key)) throw damaged(`it says '${key}' twice`);
    metadata.set(key, readValue(cursor, cursor.uint32(), `'${key}'`, 0, damaged));
  }
  return metadata;
}

function readValue(
  cursor: HeaderCursor,
  type: number,
  what: string,
  depth: number,
  damaged: Damaged,
): GgufValue {
  if (type === stringType) return cursor.text(longestText, what);
  if (type === arrayType) return readArray(cursor, what, depth, damaged);
  const scalar = scalars[type];
  if (!scalar) throw damaged(`${what} has the unknown type ${type}`);
  return scalar.read(cursor.take(scalar.bytes));
}

function readArray(cursor: HeaderCursor, what: string, depth: number, damaged: Damaged): GgufValue {
  if (depth === deepestArray) throw damaged(`${what} is an array of arrays, more than ${deepestArray} deep`);
  const type = cursor.uint32();
  const length = cursor.uint64(`the length of ${what}`);
  const scalar = scalars[type];
  if (!scalar && type !== stringType && type !== arrayType)
    throw damaged(`${what} has the unknown type ${type}`);
  // A text has its length in front, an array its type as well.
  const least = scalar?.bytes ?? (type === stringType ? 8 : 12);
  if (length * least > cursor.left) throw damaged(`${what} claims ${length} entries`);
  if (!scalar?.array && length > mostObjects)
    throw damaged(`${what} has ${length} entries where ${mostObjects} are the most that is read`);
  // Arrays of arrays have no use in models; each would take some hundred bytes of memory for twelve in the file.
  if (depth > 0 && length > mostObjects >> 8)
    throw damaged(`${what} has ${length} entries in an array of arrays`);
  if (type === arrayType && length > mostObjects >> 8)
    throw damaged(`${what} has ${length} arrays where ${mostObjects >> 8} are the most that is read`);
  if (scalar?.array) return new scalar.array(Uint8Array.from(cursor.take(length * scalar.bytes)).buffer);
  return Array.from({ length }, () => readValue(cursor, type, what, depth + 1, damaged));
}
