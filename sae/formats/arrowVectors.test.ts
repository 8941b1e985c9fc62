import { tableFromIPC } from 'apache-arrow';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { encodeVectors, locateVectors, type ExpectedVectors } from './arrowVectors.ts';
import { float16ToFloat32 } from './float16.ts';

const path = join(tmpdir(), `lazyscope-vectors-${process.pid}.arrow`);
afterAll(() => rmSync(path, { force: true }));

function located(bytes: Uint8Array, expected: ExpectedVectors): number {
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    return locateVectors(fd, path, expected);
  } finally {
    closeSync(fd);
  }
}

// 70 bytes of float16 and 60 of float32: neither is a multiple of eight, to which Arrow's writer pads.
test.each([
  ['float16', new Uint16Array(35).map((_, i) => 0x3c00 + 7 * i), 5],
  ['float32', new Float32Array(15).map((_, i) => 1 / (i + 3)), 3],
  ['int32', new Int32Array(21).map((_, i) => 1000 - 97 * i), 7],
  ['float16', new Uint16Array(64).map((_, i) => 0x4000 + i), 16],
] as const)('%s values are found where Arrow has them, however many there are', (item, values, width) => {
  const rows = values.length / width;
  const bytes = encodeVectors('x', width, values);
  const start = located(bytes, { rows, width, item });
  const there = bytes.slice(start, start + values.byteLength);
  expect(new Uint8Array(values.buffer)).toEqual(there);
  const read = [...(tableFromIPC(readFileSync(path)).getChild('x') ?? [])].flatMap((row) => [
    ...(row as Iterable<number>),
  ]);
  expect(read).toEqual([...(values instanceof Uint16Array ? float16ToFloat32(values) : values)]);
});

test('a file with one row less or more than expected is refused', () => {
  const bytes = encodeVectors('x', 5, new Uint16Array(35));
  for (const rows of [6, 8])
    expect(() => located(bytes, { rows, width: 5, item: 'float16' })).toThrow(/is not an Arrow file of/);
});
