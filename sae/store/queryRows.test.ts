import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, expectTypeOf, test } from 'vitest';
import { someOf, sortsOf, type RowOf, type Table } from '../spec/tables/table.ts';
import { writeParquet } from './parquet.ts';
import { queryRows } from './queryRows.ts';
import { columnList, orderOf, storedTable } from './tableSql.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-rows-'));
const planets = {
  order: { type: 'INTEGER', doc: 'place from the sun, from 1', sortable: true },
  'a "name"': { type: 'VARCHAR', doc: 'in English', sortable: true },
  moons: { type: 'BIGINT', doc: 'moons known', sortable: true },
  ringed: { type: 'BOOLEAN', doc: 'whether it has rings' },
  year: { type: 'DOUBLE', doc: 'days; null where nobody counted', nullable: true, sortable: true },
  visits: { type: 'INTEGER[]', doc: 'years in which a probe came by', nullable: true },
} as const satisfies Table;
const data = {
  order: [1, 2, 6, 8],
  'a "name"': ['Mercury', 'Venus', 'Saturn', 'Neptune'],
  moons: [0, 0, 145, 16],
  ringed: [false, false, true, true],
  year: [88, Number.NaN, 10_759, 60_190],
  visits: [[1974], [], [1979, 1980], [1989]],
};
const all = (table: Table) => `SELECT ${columnList(table)} FROM ${storedTable(table)}`;

test('rows come back with the types of their description, NaN as null where it may be', async () => {
  const path = join(folder, 'whole.parquet');
  await writeParquet(path, planets, data);
  const rows = await queryRows(
    planets,
    `${all(planets)} ORDER BY ${orderOf(planets, 'order', 'asc', 'order')}`,
    {
      path,
    },
  );
  expectTypeOf(rows[0].year).toEqualTypeOf<number | null>();
  expectTypeOf<RowOf<typeof planets>['moons']>().toEqualTypeOf<number>();
  expect(rows[1]).toEqual({ order: 2, 'a "name"': 'Venus', moons: 0, ringed: false, year: null, visits: [] });
  expect(rows.map((row) => row.visits)).toEqual(data.visits);
});

test('a file written by an older version lacks a column: it is null, and can be sorted and searched by', async () => {
  const path = join(folder, 'older.parquet');
  const { year: _, visits: __, ...olderTable } = planets;
  const { year: ___, visits: ____, ...older } = data;
  await writeParquet(path, olderTable, older);
  const order = orderOf(planets, 'year', 'desc', 'order');
  const rows = await queryRows(planets, `${all(planets)} ORDER BY ${order}`, { path });
  expect(rows.map((row) => [row.order, row.year, row.visits])).toEqual([
    [1, null, null],
    [2, null, null],
    [6, null, null],
    [8, null, null],
  ]);
  expect(await queryRows(planets, `${all(planets)} WHERE year > 0`, { path })).toEqual([]);
});

test('a column that is not described, of a newer version, is ignored', async () => {
  const path = join(folder, 'newer.parquet');
  const newer = { mass: { type: 'DOUBLE', doc: 'kg' }, ...planets } as const satisfies Table;
  await writeParquet(path, newer, { ...data, mass: [3e23, 5e24, 6e26, 1e26] });
  const [row] = await queryRows(planets, `${all(planets)} WHERE "order" = 6`, { path });
  expect(Object.keys(row)).toEqual(Object.keys(planets));
});

test('a file without a column that must have a value is refused, with the column and the file', async () => {
  const path = join(folder, 'without.parquet');
  const { moons: _, ...olderTable } = planets;
  const { moons: __, ...older } = data;
  await writeParquet(path, olderTable, older);
  await expect(queryRows(planets, all(planets), { path })).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/without\.parquet.*'moons'/),
  });
  const few = someOf(planets, 'order', 'year');
  expect(await queryRows(few, all(few), { path })).toHaveLength(4);
});

test('NaN is last in either order and inside no bound', async () => {
  const path = join(folder, 'whole.parquet');
  const years = async (rest: string) =>
    (await queryRows(planets, `${all(planets)} ${rest}`, { path })).map((row) => row.year);
  expect(await years(`ORDER BY ${orderOf(planets, 'year', 'desc', 'order')}`)).toEqual([
    60_190,
    10_759,
    88,
    null,
  ]);
  expect(await years(`ORDER BY ${orderOf(planets, 'year', 'asc', 'order')}`)).toEqual([
    88,
    10_759,
    60_190,
    null,
  ]);
  expect(await years('WHERE year >= 100 ORDER BY year')).toEqual([10_759, 60_190]);
});

test('the sort list holds the columns marked so, in their order', () => {
  expect(sortsOf(planets)).toEqual(['order', 'a "name"', 'moons', 'year']);
});
