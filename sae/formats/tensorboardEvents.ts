/**
 * TensorBoard's event files: TFRecords (length, masked CRC-32C of the length, payload, masked CRC-32C of the payload;
 * tensorflow/core/lib/io/record_writer.h) of the protocol buffer `Event` (event.proto, summary.proto), here with scalars alone.
 */
import { crc32c } from './crc32c.ts';

/** Scalars of one step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  wallTime: number;
  step: number;
  scalars: Readonly<Record<string, number>>;
}

/** What every event file begins with. */
export function eventFileHead(wallTime: number): Buffer {
  return record(Buffer.concat([wallTimeField(wallTime), bytesField(3, Buffer.from('brain.Event:2'))]));
}

/** One record. Values are stored as float32. */
export function scalarRecord({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) => {
    const simple = Buffer.alloc(5);
    simple[0] = (2 << 3) | 5;
    simple.writeFloatLE(value, 1);
    return bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), simple]));
  });
  const stepField = Buffer.concat([Buffer.from([2 << 3]), varint(step)]);
  return record(Buffer.concat([wallTimeField(wallTime), stepField, bytesField(5, Buffer.concat(values))]));
}

function wallTimeField(seconds: number): Buffer {
  const field = Buffer.alloc(9);
  field[0] = (1 << 3) | 1;
  field.writeDoubleLE(seconds, 1);
  return field;
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function record(payload: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(payload.length));
  head.writeUInt32LE(masked(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(masked(payload));
  return Buffer.concat([head, payload, tail]);
}

function masked(bytes: Uint8Array): number {
  const value = crc32c(bytes);
  return (((value >>> 15) | (value << 17)) + 0xa282ead8) >>> 0;
}
