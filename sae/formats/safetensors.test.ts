import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-safetensors-'));
const values = Float32Array.of(1, -2.5, 3.25, 0, 1e-3, 65504);

/** A file with any header in front of `bytes` zeros. */
async function forge(name: string, header: unknown, bytes: number, claimed?: number): Promise<string> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed ?? json.length));
  const path = join(folder, name);
  await writeFile(path, Buffer.concat([length, json, Buffer.alloc(bytes)]));
  return path;
}
const tensor = (from: number, to: number, shape = [(to - from) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [from, to],
});

test('each stored type comes back, with shapes and metadata', async () => {
  const path = join(folder, 'all.safetensors');
  await writeSafetensors(
    path,
    {
      full: { shape: [2, 3], data: values },
      half: { shape: [6], data: values, dtype: 'F16' },
      brain: { shape: [3, 2], data: values, dtype: 'BF16' },
      double: { shape: [1], data: Float64Array.of(Math.PI) },
      step: { shape: [], data: Int32Array.of(7) },
      none: { shape: [0, 4], data: new Float32Array(0) },
    },
    { architecture: 'topk' },
  );
  const file = await readSafetensors(path);
  expect(file.names).toEqual(['full', 'half', 'brain', 'double', 'step', 'none']);
  expect(file.metadata).toEqual({ architecture: 'topk' });
  expect(file.shape('full')).toEqual([2, 3]);
  expect(file.float32('full')).toEqual(values);
  expect(file.float32('half')[4]).toBeCloseTo(1e-3, 6);
  expect(file.float32('brain')[1]).toBe(-2.5);
  expect(file.float64('double')[0]).toBe(Math.PI);
  expect(file.int32('step')[0]).toBe(7);
  expect(file.shape('step')).toEqual([]);
  expect(file.float32('none')).toHaveLength(0);
  expect((await readFile(path)).readBigUInt64LE(0) % 8n).toBe(0n);
});

test('of a file of more than 4 GiB a tensor is read by itself, wherever it is', async () => {
  const hole = 5 * 2 ** 30;
  const last = Float32Array.of(1.5, -2);
  const header = { large: tensor(0, hole), small: tensor(hole, hole + 8) };
  const path = await forge('large.safetensors', header, 0);
  const { size } = await stat(path);
  // A hole on the disk.
  const handle = await open(path, 'r+');
  await handle.write(new Uint8Array(last.buffer), 0, 8, size + hole);
  await handle.close();
  const file = await readSafetensors(path);
  expect(file.shape('large')).toEqual([hole / 4]);
  expect(file.float32('small')).toEqual(last);
  expect(new Float32Array(file.bytes('large', hole - 8, 8))).toEqual(Float32Array.of(0, 0));
});

test('a truncated file is corrupt and is named', async () => {
  const path = join(folder, 'cut.safetensors');
  await writeSafetensors(path, { w: { shape: [6], data: values } });
  const { length } = await readFile(path);
  for (const size of [length - 1, 30, 7, 0]) {
    await truncate(path, size);
    await expect(readSafetensors(path)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('cut.safetensors'),
    });
  }
});

test.each([
  ['claims a header longer than the file', {}, 0, 1e12],
  ['has a header that is not JSON', '{"w": ', 8, undefined],
  ['has a list for a header', '[]', 0, undefined],
  ['has a shape that does not match its bytes', { w: tensor(0, 16, [5]) }, 16, undefined],
  ['has a negative offset', { w: tensor(-16, 0, [4]) }, 0, undefined],
  ['has an end before its start', { w: tensor(16, 0, [4]) }, 16, undefined],
  ['has a shape whose product overflows', { w: tensor(0, 16, [2 ** 40, 2 ** 40]) }, 16, undefined],
  ['has overlapping tensors', { a: tensor(0, 16), b: tensor(8, 24) }, 24, undefined],
  ['has two tensors on the same bytes', { a: tensor(0, 16), b: tensor(0, 16) }, 16, undefined],
  ['has a hole', { a: tensor(0, 16), b: tensor(20, 36) }, 36, undefined],
  ['has bytes that belong to nothing', { a: tensor(0, 16) }, 20, undefined],
  ['names an unknown type', { a: { ...tensor(0, 16), dtype: 'F12' } }, 16, undefined],
  ['has metadata that is not text', { __metadata__: { a: 1 } }, 0, undefined],
])('a file that %s is corrupt', async (name, header, bytes, claimed) => {
  const path = await forge(`${name}.safetensors`, header, bytes, claimed);
  await expect(readSafetensors(path)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining(name),
  });
});

test('a missing file and a missing tensor are named', async () => {
  await expect(readSafetensors(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'not_found' });
  const path = await forge('one.safetensors', { a: tensor(0, 16) }, 16);
  const file = await readSafetensors(path);
  expect(() => file.float32('b')).toThrow(/no tensor named 'b'/);
  expect(() => file.int32('a')).toThrow(/F32 where I32/);
});

test('a shape that does not fit its data is refused before anything is written', async () => {
  const path = join(folder, 'never.safetensors');
  await expect(writeSafetensors(path, { w: { shape: [5], data: values } })).rejects.toMatchObject({
    code: 'bad_input',
  });
  expect((await readdir(folder)).filter((name) => name.includes('never'))).toEqual([]);
});

const foreign = '../shared/models/stories260K/model.safetensors';
test.skipIf(!existsSync(foreign))('a file written by another tool opens (needs ../shared)', async () => {
  const file = await readSafetensors(foreign);
  const total = file.names.reduce((sum, name) => sum + file.float32(name).length, 0);
  expect(total).toBeGreaterThan(250_000);
});
