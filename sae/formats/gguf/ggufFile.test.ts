import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openGguf } from './ggufFile.ts';
import type { GgufFile } from './ggufFile.ts';
import { readableTypes } from './ggufTypes.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
interface Golden {
  alignment: number;
  version: number;
  tensors: Record<string, { shape: number[]; first: number[]; sha256: string }>;
}
const goldens = JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')) as Record<string, Golden>;
const scratch = mkdtempSync(join(tmpdir(), 'lazyscope-gguf-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const sha256 = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');

describe.each(Object.entries(goldens))('%s, against the gguf package', (name, golden) => {
  const file = openGguf(join(fixtures, name));

  test('all thirteen tensor types are dequantised to the same bits', () => {
    expect(file.version).toBe(golden.version);
    expect(file.metadata.get('general.alignment')).toBe(golden.alignment);
    expect([...file.names].sort()).toEqual([...readableTypes].sort());
    for (const [type, { shape, first, sha256: expected }] of Object.entries(golden.tensors)) {
      const values = file.float32(type);
      expect(file.shape(type), type).toEqual(shape);
      expect(file.dtype(type)).toBe(type);
      expect(Array.from(values.subarray(0, 3)), type).toEqual(first);
      expect(sha256(values), type).toBe(expected);
    }
  });

  test('rows are the same values as in the whole', () => {
    for (const type of file.names) {
      const whole = file.float32(type);
      const width = file.shape(type).at(-1)!;
      expect(file.rows(type, 2, 3), type).toEqual(whole.slice(2 * width, 5 * width));
      expect(file.rows(type, 6, 0)).toHaveLength(0);
      expect(() => file.rows(type, 5, 2)).toThrow(/Rows 5 to 7 .* it has 6/);
    }
  });

  test('metadata of every type', () => {
    const test = Object.fromEntries(
      [...file.metadata]
        .filter(([key]) => key.startsWith('test.'))
        .map(([key, value]) => [key.slice(5), value]),
    );
    expect(test).toEqual({
      u8: 200,
      i8: -100,
      u16: 60_000,
      i16: -30_000,
      u32: 4_000_000_000,
      i32: -2_000_000_000,
      f32: Math.fround(0.1),
      bool: true,
      text: 'naïve “☃” 🐋',
      u64: Number.MAX_SAFE_INTEGER,
      huge: 2n ** 64n - 1n,
      i64: -(2 ** 40),
      f64: 0.1,
      texts: ['a', '', 'ü'],
      floats: Float32Array.of(0.5, -2.25),
      bools: [true, false, true],
      ints: Int32Array.of(-1, 2),
    });
  });
});

describe('a file that is not what it should be', () => {
  const whole = readFileSync(join(fixtures, 'everyType.gguf'));
  const path = join(scratch, 'damaged.gguf');
  const at = (needle: string) => {
    const found = whole.indexOf(needle);
    expect(found).toBeGreaterThan(0);
    return found + Buffer.byteLength(needle);
  };
  const opening = (change: (bytes: Buffer) => Buffer | void): (() => GgufFile) => {
    const bytes = Buffer.from(whole);
    writeFileSync(path, change(bytes) ?? bytes);
    return () => openGguf(path);
  };
  /** Behind a tensor's name: axes, three sizes (fastest first), type, offset. */
  const tensor = (name: string) => at(`${String.fromCharCode(name.length)}\0\0\0\0\0\0\0${name}`);

  test('missing', () => {
    expect(() => openGguf(join(scratch, 'none.gguf'))).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    );
  });

  const damages: [string, (bytes: Buffer) => Buffer | void, RegExp][] = [
    ['of another kind', (b: Buffer) => void b.write('GGML'), /doesn't begin with GGUF/],
    ['empty', () => Buffer.alloc(0), /doesn't begin with GGUF/],
    [
      'with more tensors than fit',
      (b: Buffer) => void b.writeBigUInt64LE(10n ** 9n, 8),
      /1000000000 tensors/,
    ],
    [
      'with a count beyond doubles',
      (b: Buffer) => void b.writeBigUInt64LE(2n ** 63n, 8),
      /number of tensors is/,
    ],
    ['with more metadata than fits', (b: Buffer) => void b.writeBigUInt64LE(10n ** 9n, 16), /metadata pairs/],
    [
      'with a text beyond the file',
      (b: Buffer) => void b.writeBigUInt64LE(10n ** 6n, at('test.text') + 4),
      /within its header/,
    ],
    [
      'with a text beyond all reason',
      (b: Buffer) => void b.writeBigUInt64LE(2n ** 50n, at('test.text') + 4),
      /bytes long/,
    ],
    [
      'with an array beyond the file',
      (b: Buffer) => void b.writeBigUInt64LE(2n ** 40n, at('test.ints') + 8),
      /claims/,
    ],
    [
      'with an unknown metadata type',
      (b: Buffer) => void b.writeUInt32LE(13, at('test.u8')),
      /'test\.u8' has the unknown type 13/,
    ],
    [
      'with an unknown type in an array',
      (b: Buffer) => void b.writeUInt32LE(99, at('test.ints') + 4),
      /unknown type 99/,
    ],
    ['with a key twice', (b: Buffer) => void b.write('test.i8', at('test.u8') - 7), /'test\.i8' twice/],
    [
      'with an alignment of 24',
      (b: Buffer) => void b.writeUInt32LE(24, at('general.alignment') + 4),
      /alignment is 24/,
    ],
    ['with five axes', (b: Buffer) => void b.writeUInt32LE(5, tensor('Q8_0')), /'Q8_0' has 5 axes/],
    [
      'with an unknown tensor type',
      (b: Buffer) => void b.writeUInt32LE(4, tensor('Q8_0') + 28),
      /'Q8_0' has the unknown type 4/,
    ],
    [
      'with sizes that overflow',
      (b: Buffer) => {
        b.writeBigUInt64LE(2n ** 32n, tensor('Q8_0') + 12);
        b.writeBigUInt64LE(2n ** 32n, tensor('Q8_0') + 20);
      },
      /'Q8_0' has/,
    ],
    [
      'with half a block',
      (b: Buffer) => void b.writeBigUInt64LE(80n, tensor('Q8_0') + 4),
      /rows of 80 values, and Q8_0 blocks of 32/,
    ],
    [
      'with a tensor out of line',
      (b: Buffer) => void b.writeBigUInt64LE(8n, tensor('Q8_0') + 32),
      /not aligned/,
    ],
    [
      'with tensors on top of each other',
      (b: Buffer) => void b.writeBigUInt64LE(0n, tensor('Q8_0') + 32),
      /overlaps/,
    ],
    [
      'with a tensor behind the end',
      (b: Buffer) => void b.writeBigUInt64LE(1n << 20n, tensor('Q8_0') + 32),
      /ends at byte/,
    ],
  ];
  test.each(damages)('%s', (_, change, message) => {
    const open = opening(change);
    expect(open).toThrow(expect.objectContaining({ code: 'corrupt' }));
    expect(open).toThrow(message);
  });

  test('of another version or byte order', () => {
    const version = (value: number) => opening((b) => void b.writeUInt32LE(value, 4));
    for (const value of [1, 4, 3 << 24])
      expect(version(value)).toThrow(expect.objectContaining({ code: 'bad_input' }));
    expect(version(1)).toThrow(/version 1/);
    expect(version(3 << 24)).toThrow(/big-endian/);
  });

  test('cut anywhere, and it is said rather than read', () => {
    const golden = openGguf(join(fixtures, 'everyType.gguf'));
    const last = golden.names.reduce((sum, name) => sum + golden.bytes(name), 0);
    expect(last).toBeLessThan(whole.length);
    for (let length = 0; length < whole.length - 32; length += 97) {
      writeFileSync(path, whole.subarray(0, length));
      expect(() => openGguf(path), String(length)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('cut after it was opened', () => {
    writeFileSync(path, whole);
    const file = openGguf(path);
    truncateSync(path, whole.length - 2000);
    expect(() => file.names.map((name) => file.float32(name))).toThrow(
      expect.objectContaining({ code: 'corrupt' }),
    );
  });

  test('with a type that is known and not read: it opens, and the tensor is refused by the name of its type', () => {
    // IQ4_NL has blocks as large as Q4_0's.
    opening((b) => void b.writeUInt32LE(20, tensor('Q4_0') + 28))();
    const file = openGguf(path);
    expect(file.dtype('Q4_0')).toBe('IQ4_NL');
    expect(() => file.float32('Q4_0')).toThrow(/IQ4_NL, which can't be read: .*Q4_K/);
    expect(file.float32('Q8_0')).toHaveLength(576);
  });
});
