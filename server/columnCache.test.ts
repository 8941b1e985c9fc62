import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Table } from '../sae/spec/tables/table.ts';
import { writeParquet } from '../sae/store/parquet.ts';
import { ColumnCache } from './columnCache.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-cache-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const table = {
  latent: { type: 'INTEGER', doc: 'number' },
  density: { type: 'DOUBLE', doc: 'share' },
} as const satisfies Table;
const write = async (name: string, densities: number[]) => {
  const path = join(folder, name);
  await writeParquet(path, table, { latent: densities.map((_, i) => i), density: densities });
  return path;
};

test('a table is read once, also by two that ask at the same time, and again when its file has changed', async () => {
  const path = await write('changing.parquet', [0.1, 0.2]);
  const cache = new ColumnCache();
  const [one, other] = await Promise.all([cache.of(path, table), cache.of(path, table)]);
  expect(other).toBe(one);
  expect(await cache.of(path, table)).toBe(one);
  expect(cache.tablesRead).toBe(1);
  // The same number of rows, and so the same size: the inode tells them apart.
  await write('changing.parquet', [0.3, 0.4]);
  expect([...(await cache.of(path, table)).density]).toEqual([0.3, 0.4]);
  await rename(await write('another.parquet', [0.5]), path);
  expect([...(await cache.of(path, table)).density]).toEqual([0.5]);
  await rm(path);
  await expect(cache.of(path, table)).rejects.toMatchObject({ code: 'not_found' });
  await write('changing.parquet', [0.6]);
  expect([...(await cache.of(path, table)).density]).toEqual([0.6]);
});

test('the tables kept stay within their bytes, and the least recently used goes first', async () => {
  const densities = Array.from({ length: 1000 }, (_, i) => i / 1000);
  const paths = await Promise.all(['a', 'b', 'c'].map((name) => write(`${name}.parquet`, densities)));
  // Each is two columns of a thousand doubles.
  const cache = new ColumnCache(2 * 16_000);
  for (const path of [paths[0], paths[1], paths[0], paths[2]]) await cache.of(path, table);
  expect(cache.bytes).toBe(2 * 16_000);
  expect(cache.tablesRead).toBe(3);
  await cache.of(paths[0], table);
  expect(cache.tablesRead).toBe(3);
  await cache.of(paths[1], table);
  expect(cache.tablesRead).toBe(4);
});
