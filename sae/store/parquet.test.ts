import { mkdtemp, readFile, readdir, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { queryParquet, writeParquet } from './parquet.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-parquet-'));
const table = {
  latent: { type: 'INTEGER', doc: '' },
  firings: { type: 'BIGINT', doc: '' },
  density: { type: 'DOUBLE', doc: '' },
  share: { type: 'FLOAT', doc: '' },
  dead: { type: 'BOOLEAN', doc: '' },
  band: { type: 'VARCHAR', doc: '' },
  tokens: { type: 'INTEGER[]', doc: '' },
  activations: { type: 'FLOAT[]', doc: '' },
} as const;

function piece(from: number, rows: number) {
  const ids = Array.from({ length: rows }, (_, i) => from + i);
  return {
    latent: Int32Array.from(ids),
    firings: ids.map((i) => i * 1e9),
    density: Float64Array.from(ids, (i) => i / 7),
    share: Float32Array.from(ids, (i) => i / 8),
    dead: ids.map((i) => i % 3 === 0),
    band: ids.map((i) => `it's “${i}”`),
    tokens: ids.map((i) => Int32Array.from({ length: i % 4 }, (_, j) => i + j)),
    activations: {
      values: Float32Array.from(ids.flatMap((i) => [i, -i])),
      offsets: [...ids, from + rows].map((i) => 2 * (i - from)),
    },
  };
}

test('every column type comes back as it was written, lists of different lengths included, over many chunks', async () => {
  const path = join(folder, 'all.parquet');
  await writeParquet(path, table, [piece(0, 5000), piece(5000, 3), piece(5003, 0)]);
  const rows = await queryParquet('SELECT * FROM read_parquet($path)', { path });
  expect(rows).toHaveLength(5003);
  rows.forEach((row, i) =>
    expect(row).toEqual({
      latent: i,
      firings: i * 1e9,
      density: i / 7,
      share: i / 8,
      dead: i % 3 === 0,
      band: `it's “${i}”`,
      tokens: Array.from({ length: i % 4 }, (_, j) => i + j),
      activations: [i, i === 0 ? -0 : -i],
    }),
  );
  expect(await readdir(folder)).toEqual(['all.parquet']);
});

test('an empty table keeps its columns', async () => {
  const path = join(folder, 'empty.parquet');
  await writeParquet(path, table, piece(0, 0));
  expect(await queryParquet('SELECT count(*) AS n FROM read_parquet($path)', { path })).toEqual([{ n: 0 }]);
});

test('columns of different lengths are refused by name and leave no file', async () => {
  const path = join(folder, 'odd.parquet');
  await expect(writeParquet(path, table, { ...piece(0, 4), share: [1, 2] })).rejects.toThrow(
    /'share'.*2 rows.*4/,
  );
  expect((await readdir(folder)).filter((name) => name.includes('odd'))).toEqual([]);
});

test('a missing file is not_found and a truncated one is corrupt, both by name', async () => {
  const path = join(folder, 'cut.parquet');
  await expect(queryParquet('SELECT * FROM read_parquet($path)', { path })).rejects.toMatchObject({
    code: 'not_found',
  });
  await writeParquet(path, table, piece(0, 3000));
  await truncate(path, 1000);
  await expect(queryParquet('SELECT * FROM read_parquet($path)', { path })).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('cut.parquet'),
  });
});

test('a damaged length that asks for more memory than there is ends in a typed error', async () => {
  // Found by `npm run test:fuzz`: pages of a sound file on top of each other.
  const path = join(import.meta.dirname, 'fixtures', 'damagedLength.parquet');
  await expect(queryParquet('SELECT * FROM read_parquet($path)', { path })).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/is not a whole Parquet file: .*; make it again/),
  });
});

test('a damaged file whose pages claim gigabytes is refused before memory is taken for them', async () => {
  const path = join(folder, 'shifted.parquet');
  await writeParquet(path, table, piece(0, 3000));
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  // A piece of the middle is gone, so that headers of pages are looked for where none are.
  for (let cut = 1; cut < 60; cut += 7) {
    const before = process.cpuUsage();
    await writeFile(path, Buffer.concat([bytes.subarray(0, middle - cut), bytes.subarray(middle)]));
    await expect(queryParquet('SELECT * FROM read_parquet($path)', { path })).rejects.toMatchObject({
      code: 'corrupt',
    });
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(1_000_000);
  }
});

test('a file that took the place of one that was read is read, at once and long after', async () => {
  // DuckDB keeps footers in memory; both files have the same number of rows, and nearly the same size.
  const path = join(folder, 'replaced.parquet');
  const read = () => queryParquet('SELECT latent FROM read_parquet($path) LIMIT 1', { path });
  await writeParquet(path, table, piece(100, 3000));
  expect(await read()).toEqual([{ latent: 100 }]);
  await writeParquet(path, table, piece(200, 3000));
  expect(await read()).toEqual([{ latent: 200 }]);
  const hourAgo = Date.now() / 1000 - 3600;
  await utimes(path, hourAgo, hourAgo);
  expect(await read()).toEqual([{ latent: 200 }]);
  await writeParquet(path, table, piece(300, 3000));
  await utimes(path, hourAgo + 0.001, hourAgo + 0.001);
  expect(await read()).toEqual([{ latent: 300 }]);
});
