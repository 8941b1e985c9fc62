import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeParquet } from '../store/parquet.ts';
import { parquetFault } from './checkParquet.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-parquet-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const path = join(folder, 'some.parquet');
const rows = 3000;
await writeParquet(
  path,
  {
    latent: { type: 'INTEGER', doc: '' },
    values: { type: 'FLOAT[]', doc: '' },
    name: { type: 'VARCHAR', doc: '' },
  },
  {
    latent: Int32Array.from({ length: rows }, (_, i) => i),
    values: {
      values: Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(i)),
      offsets: Int32Array.from({ length: rows + 1 }, (_, i) => 2 * i),
    },
    name: Array.from({ length: rows }, (_, i) => `latent ${i % 70}`),
  },
  { rowGroupSize: 2048 },
);
const sound = await readFile(path);
const faultOf = async (bytes: Uint8Array) => {
  const changed = join(folder, 'changed.parquet');
  await writeFile(changed, bytes);
  return parquetFault(changed);
};

describe('the lengths in a Parquet file', () => {
  test('of a sound one agree', async () => {
    expect(await parquetFault(path)).toBe(undefined);
  });

  test('do not where bytes are gone or were added before other pages', async () => {
    for (let at = 8; at < sound.length / 2; at += 331) {
      const without = Buffer.concat([sound.subarray(0, at), sound.subarray(at + 5)]);
      const more = Buffer.concat([sound.subarray(0, at), Buffer.alloc(3), sound.subarray(at)]);
      for (const bytes of [without, more])
        expect(await faultOf(bytes), String(at)).toEqual(expect.any(String));
    }
  });

  test('do not where a page claims more than its column has', async () => {
    // The header of the first page: a structure whose second field is the unpacked size, of which more digits follow.
    const claims = Buffer.from(sound);
    expect([...claims.subarray(4, 7)].map((byte) => byte.toString(16))).toEqual([
      '15',
      expect.any(String),
      '15',
    ]);
    const size = claims.subarray(7).findIndex((byte) => byte < 128);
    const huge = Buffer.concat([
      claims.subarray(0, 7),
      Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f]),
      claims.subarray(7 + size + 1),
    ]);
    expect(await faultOf(huge)).toBeTypeOf('string');
    const sameLength = Buffer.from(claims);
    sameLength.fill(0xff, 7, 7 + size);
    // An even number is not negative.
    sameLength[7] = 0xfe;
    sameLength[7 + size] = 0x7f;
    expect(await faultOf(sameLength)).toBe('its pages unpack to more than its columns');
  });

  test.each([
    ['nothing', 0],
    ['only its ends', 12],
    ['half', sound.length >> 1],
  ])('of %s of a file are missing', async (_, length) => {
    expect(await faultOf(sound.subarray(0, length))).toEqual(expect.any(String));
  });

  test('of a file that is none are none', async () => {
    expect(await faultOf(Buffer.alloc(4096, 'PAR1'))).toEqual(expect.any(String));
  });
});
