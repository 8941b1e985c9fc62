/** Rows of a hook point as they are stored: from memory and from files, in the numbers that each has. */
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { float16ToFloat32 } from '../formats/float16.ts';
import { Random } from '../numerics/random.ts';
import type { Shard } from '../spec/manifests/capture.ts';
import { HookRows } from './hookRows.ts';
import { mapFile, type MapFile } from './mappedFile.ts';
import { ShardWriter } from './shardWriter.ts';

const width = 12;
/** Rows of each shard. */
const lengths = [7, 7, 3];
const rows = 17;
/** The largest float16, the least, one that is subnormal, and zeros of both signs. */
const edges = [65_504, -65_504, 2 ** -24, -(2 ** -15), -0, 0];

describe.each(['float16', 'float32'] as const)('%s', (dtype) => {
  let folder: string;
  const shards: Shard[] = [];
  const written = Random.fromSeed(4, dtype).normals(rows * width);
  written.set(edges, 11);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-hook-rows-'));
    const writer = new ShardWriter('h', width, dtype, 7);
    for (let shard = 0, at = 0; shard < lengths.length; at += lengths[shard++]) {
      writer.append(written.subarray(at * width, (at + lengths[shard]) * width));
      shards.push(await writer.flush(folder, shard));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const itemBytes = dtype === 'float16' ? 2 : 4;
  const [widened, asStored, files, mapped] = [
    { memoryBudget: 4 * rows * width },
    { memoryBudget: 4 * rows * width, asStored: true },
    { memoryBudget: itemBytes * rows * width - 1 },
    { memoryBudget: itemBytes * rows * width - 1, asStored: true, mapFile },
  ];
  const opened = (options: { memoryBudget: number; asStored?: boolean; mapFile?: MapFile }) =>
    new HookRows({ folder, shards, width, dtype, ...options });
  /** The values of rows [rows × width] that were read by `read`, which is tested elsewhere. */
  const expected = (list: readonly number[]) => {
    const reader = opened(widened);
    const out = new Float32Array(list.length * width);
    list.forEach((row, at) => reader.read(row, 1, out.subarray(at * width)));
    reader.close();
    return out;
  };
  const floats = (bytes: Uint8Array, as: string) =>
    as === 'float16' ? float16ToFloat32(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);

  test.each([
    ['widened in memory', widened, 'float32'],
    ['in memory', asStored, dtype],
    ['in files', files, dtype],
    ['in mapped files', mapped, dtype],
  ] as const)('%s: rows of several shards in any order', (_, options, as) => {
    const reader = opened(options);
    expect(reader.gatheredAs).toBe(as);
    const list = [16, 0, 6, 7, 7, 13, 14, 2, 3];
    const bytes = new Uint8Array(list.length * width * (as === 'float16' ? 2 : 4));
    reader.gatherStored(Int32Array.from(list), bytes);
    expect(floats(bytes, as)).toEqual(expected(list));
    for (const row of [-1, rows])
      expect(() => reader.gatherStored(Int32Array.of(row), bytes)).toThrow(`row ${row} of ${rows}`);
    expect(() => reader.gatherStored(Int32Array.from(list), bytes.subarray(1))).toThrow(/don't fit/);
    reader.close();
  });

  test.each([
    ['widened in memory', widened],
    ['in memory', asStored],
    ['in files', files],
    ['in mapped files', mapped],
  ])('%s: blocks are what the files hold, and files of what is in memory may be gone', async (_, options) => {
    const reader = opened(options);
    const blocks = (count: number) => {
      const all: number[] = [];
      for (const { first, values } of reader.storedBlocks(count)) {
        expect(first * width).toBe(all.length);
        expect(values.BYTES_PER_ELEMENT).toBe(itemBytes);
        all.push(...(values instanceof Uint16Array ? float16ToFloat32(values) : values));
      }
      return all;
    };
    const want = [...expected([...Array(15).keys()])];
    expect(blocks(15)).toEqual(want);
    reader.read(0, rows, new Float32Array(rows * width));
    await rename(join(folder, 'h'), join(folder, 'elsewhere'));
    try {
      if (options === files || options === mapped) expect(() => blocks(15)).toThrow(/ENOENT/);
      else expect(blocks(15)).toEqual(want);
    } finally {
      await rename(join(folder, 'elsewhere'), join(folder, 'h'));
    }
    reader.close();
  });

  test.skipIf(process.platform !== 'linux')(
    'a mapped file is read without calls, and closed with the rows',
    async () => {
      const calls: string[] = [];
      const noted: MapFile = (fd, bytes) => {
        const file = mapFile(fd, bytes) ?? expect.fail('Linux maps files');
        calls.push('map');
        return { ...file, unmap: () => (calls.push('unmap'), file.unmap()) };
      };
      const reader = opened({ ...mapped, mapFile: noted });
      const out = new Float32Array(2 * width);
      reader.gather(Uint32Array.of(15, 1), out);
      expect(out).toEqual(expected([15, 1]));
      reader.letGo(0);
      expect(calls).toEqual(['map', 'map', 'unmap']);
      reader.gather(Uint32Array.of(15, 1), out);
      expect(out).toEqual(expected([15, 1]));
      reader.close();
      expect(calls).toEqual(['map', 'map', 'unmap', 'map', 'unmap', 'unmap']);
    },
  );
});
