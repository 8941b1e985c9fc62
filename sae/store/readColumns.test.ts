import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Table } from '../spec/tables/table.ts';
import { writeParquet } from './parquet.ts';
import { queryRows } from './queryRows.ts';
import { listAt, rowAt } from './columnRows.ts';
import { readColumns } from './readColumns.ts';
import { columnList, storedTable } from './tableSql.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-columns-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const table = {
  latent: { type: 'INTEGER', doc: 'number' },
  firings: { type: 'BIGINT', doc: 'count' },
  density: { type: 'DOUBLE', doc: 'share' },
  cosine: { type: 'DOUBLE', doc: 'null where there is none', nullable: true },
  norm: { type: 'FLOAT', doc: 'length' },
  dead: { type: 'BOOLEAN', doc: 'whether it fires' },
  tokens: { type: 'INTEGER[]', doc: 'tokens' },
  wide: { type: 'INTEGER[]', doc: 'numbers below 0 and above 65,535' },
  logits: { type: 'FLOAT[]', doc: 'logits' },
} as const satisfies Table;

/** More rows than one of DuckDB's vectors holds, written in an order of their own. */
function rows(count: number) {
  const latents = Array.from({ length: count }, (_, i) => (i * 7 + 3) % count);
  return {
    latent: latents,
    firings: latents.map((latent) => latent * 1e9),
    density: latents.map((latent) => latent / 7),
    cosine: latents.map((latent) => (latent % 5 === 0 ? Number.NaN : latent / 11)),
    norm: latents.map((latent) => latent / 8),
    dead: latents.map((latent) => latent % 3 === 0),
    tokens: latents.map((latent) => Array.from({ length: latent % 4 }, (_, i) => (latent + i) % 65_536)),
    wide: latents.map((latent) => [-latent, 65_536 + latent]),
    logits: latents.map((latent) => Array.from({ length: latent % 3 }, (_, i) => latent / 4 - i)),
  };
}

test('columns hold what reading rows gives, ordered by latent, over many vectors and row groups', async () => {
  const path = join(folder, 'whole.parquet');
  await writeParquet(path, table, rows(5003), { rowGroupSize: 2048 });
  const { columns, rows: count, bytes } = await readColumns(path, table);
  expect(count).toBe(5003);
  const expected = await queryRows(
    table,
    `SELECT ${columnList(table)} FROM ${storedTable(table)} ORDER BY latent`,
    { path },
  );
  expect(expected.map((_, row) => rowAt(table, columns, row))).toEqual(expected);
  expect(columns.tokens.values).toBeInstanceOf(Uint16Array);
  expect(columns.wide.values).toBeInstanceOf(Int32Array);
  expect(listAt(columns.wide, 5002)).toEqual([-5002, 70_538]);
  expect(columns.cosine[5]).toBeNaN();
  // Five columns of doubles and one of bytes; three of lists, each with the places where its lists begin.
  const items = [columns.tokens, columns.wide, columns.logits].map(({ values }) => values.byteLength);
  expect(bytes).toBe(5003 * (5 * 8 + 1) + 3 * 4 * 5004 + items.reduce((sum, each) => sum + each, 0));
});

test('an empty table has empty columns', async () => {
  const path = join(folder, 'empty.parquet');
  await writeParquet(path, table, rows(0));
  const { columns, rows: count } = await readColumns(path, table);
  expect([count, columns.latent.length, columns.tokens.offsets.length]).toEqual([0, 0, 1]);
});

test('a file older than a nullable column has nulls there; one without a required column is refused by name', async () => {
  const path = join(folder, 'older.parquet');
  const { cosine: _, ...olderTable } = table;
  const { cosine: __, ...older } = rows(12);
  await writeParquet(path, olderTable, older);
  const { columns } = await readColumns(path, table);
  expect([...columns.cosine]).toEqual(Array.from({ length: 12 }, () => Number.NaN));
  await expect(
    readColumns(path, { ...table, gap: { type: 'DOUBLE', doc: 'between them' } } as const),
  ).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/older\.parquet.*'gap'/) });
});

test('values that the description does not allow, and latents that leave out a number, are refused', async () => {
  const path = join(folder, 'odd.parquet');
  const good = rows(12);
  const bad = async (data: Partial<Record<keyof typeof table, unknown>>) => {
    await writeParquet(path, table, { ...good, ...data } as typeof good);
    return readColumns(path, table);
  };
  await expect(bad({ density: good.density.map(() => Infinity) })).rejects.toThrow(/'density'/);
  await expect(bad({ logits: good.logits.map(() => [Number.NaN]) })).rejects.toThrow(/'logits'/);
  await expect(bad({ latent: good.latent.map((latent) => latent + 1) })).rejects.toThrow(/one row for each/);
  await expect(readColumns(join(folder, 'none.parquet'), table)).rejects.toMatchObject({ code: 'not_found' });
});
