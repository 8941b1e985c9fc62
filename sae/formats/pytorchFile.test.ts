import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { writeSparseZip } from './fixtures/writeSparseZip.ts';
import { openPytorchFile } from './pytorchFile.ts';
import { writePytorchFile } from './writePytorchFile.ts';
import { openZip } from './zipFile.ts';

const fixtures = join(import.meta.dirname, 'fixtures', 'pytorch');
const scratch = mkdtempSync(join(tmpdir(), 'lazyscope-pytorch-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a state dict that torch.save wrote', () => {
  const file = openPytorchFile(join(fixtures, 'mixed.bin'));
  const golden = JSON.parse(readFileSync(join(fixtures, 'mixed.json'), 'utf8')) as Record<
    string,
    { shape: number[]; values: number[] }
  >;

  test.each(Object.entries(golden))('%s', (name, { shape, values }) => {
    expect(file.shape(name)).toEqual(shape);
    expect(Array.from(file.float32(name))).toEqual(values);
  });

  test('types are named as safetensors names them; a mask is there, and refused as numbers', () => {
    const types = ['float', 'half', 'bfloat', 'double', 'long', 'mask'].map((name) => file.dtype(name));
    expect(types).toEqual(['F32', 'F16', 'BF16', 'F64', 'I64', 'BOOL']);
    expect(() => file.float32('mask')).toThrow(/'mask' .* BOOL, which can't be read as float32/);
  });
});

test('a file of more than 4 GiB is read by ranges', async () => {
  const small = join(scratch, 'small.bin');
  const [a, b] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(-5, 0.5)];
  await writePytorchFile(small, { a: { shape: [2, 2], data: a }, b: { shape: [2], data: b } });
  const zip = openZip(small);
  const bytes = (values: Float32Array) => new Uint8Array(values.buffer);
  const whole = (name: string) => ({ start: zip.read(name), size: zip.size(name)! });
  const large = join(scratch, 'large.bin');
  writeSparseZip(large, {
    'archive/data.pkl': whole('archive/data.pkl'),
    'archive/data/0': { start: bytes(a), size: 5 * 2 ** 30 },
    'archive/data/1': { start: bytes(b), size: 8 },
  });
  expect(statSync(large).size).toBeGreaterThan(5 * 2 ** 30);
  const started = performance.now();
  const file = openPytorchFile(large);
  expect(file.float32('a')).toEqual(a);
  expect(file.float32('b')).toEqual(b);
  expect(performance.now() - started).toBeLessThan(2000);
});

describe('an archive that is not what it should be', () => {
  const path = join(scratch, 'damaged.zip');
  const content = Buffer.from('some text, some text, some text');
  const zipped = Buffer.from(zipSync({ 'a.txt': [content, { level: 6 }], 'b.txt': [content, { level: 0 }] }));

  test('whole, deflated and stored files are read, and ranges of both', () => {
    writeFileSync(path, zipped);
    const zip = openZip(path);
    for (const name of ['a.txt', 'b.txt']) {
      expect(Buffer.from(zip.read(name))).toEqual(content);
      expect(Buffer.from(zip.readRange(name, 5, 4)).toString()).toBe('text');
      expect(() => zip.readRange(name, 30, 4)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('a changed byte is found by the checksum', () => {
    const bytes = Buffer.from(zipped);
    bytes[bytes.indexOf('some text, some text')] ^= 1;
    writeFileSync(path, bytes);
    expect(() => openZip(path).read('b.txt')).toThrow(/checksum of 'b.txt' is wrong/);
  });

  test('cut anywhere, it is refused', () => {
    for (let length = 0; length < zipped.length; length += 7) {
      writeFileSync(path, zipped.subarray(0, length));
      expect(() => openZip(path), String(length)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('missing', () => {
    expect(() => openZip(join(scratch, 'none.zip'))).toThrow(expect.objectContaining({ code: 'not_found' }));
  });
});
