// @vitest-environment jsdom
import { beforeEach, expect, test } from 'vitest';
import { cellsOf, click, find, rendered, textsOf, type } from '../testing/rendered.tsx';
import { SearchedTable } from './SearchedTable.tsx';

interface Row {
  name: string;
  shared: number;
}
const rows = Array.from({ length: 40 }, (_, i): Row => ({
  name: `${i % 2 ? 'relu' : 'topk'}-${i}`,
  shared: (i * 7) % 40,
}));

beforeEach(() => window.history.replaceState(null, '', '/compare'));

const table = (given: readonly Row[] = rows) =>
  rendered(
    <SearchedTable
      name="pairs"
      title="Comparisons"
      noun="comparisons"
      columns={[
        { key: 'name', header: 'Name', sort: 'name', render: (row) => row.name },
        { key: 'shared', header: 'Shared', sort: 'shared', render: (row) => row.shared },
      ]}
      rows={given}
      rowKey={(row) => row.name}
      text={(row) => row.name}
      value={(row, sort) => (sort === 'shared' ? row.shared : row.name)}
      sorted={{ by: 'shared', order: 'desc' }}
    />,
  );
const shares = (place: HTMLElement) => cellsOf(place).map(([, shared]) => Number(shared));
const countdown = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);
const pager = (place: HTMLElement) => find(place, 'nav [aria-live]').textContent;

test('fifteen rows a page, and the pages hold every row once', async () => {
  const place = await table();
  expect(shares(place)).toEqual(countdown(39, 25));
  expect(pager(place)).toBe('1–15 of 40 comparisons');
  expect(find<HTMLButtonElement>(place, '[aria-label="Previous comparisons"]').disabled).toBe(true);
  await click(find(place, '[aria-label="Next comparisons"]'));
  expect(shares(place)).toEqual(countdown(24, 10));
  await click(find(place, '[aria-label="Next comparisons"]'));
  expect(shares(place)).toEqual(countdown(9, 0));
  expect(pager(place)).toBe('31–40 of 40 comparisons');
  expect(find<HTMLButtonElement>(place, '[aria-label="Next comparisons"]').disabled).toBe(true);
  await click(find(place, '[aria-label="Previous comparisons"]'));
  expect(shares(place)).toEqual(countdown(24, 10));
});

test('search and order are in the address, from the first page on, and what is usual is not', async () => {
  const place = await table();
  await click(find(place, '[aria-label="Next comparisons"]'));
  expect(window.location.search).toBe('?pairs-first=15');
  await type(find(place, 'input[type=search]'), 'RELU');
  expect(window.location.search).toBe('?pairs-find=RELU');
  expect(pager(place)).toBe('1–15 of 20 comparisons');
  await click(find(place, 'th:nth-child(1) button'));
  expect(window.location.search).toBe('?pairs-find=RELU&pairs-sort=name');
  expect(cellsOf(place)[0][0]).toBe('relu-39');
  await click(find(place, 'th:nth-child(2) button'));
  await type(find(place, 'input[type=search]'), '');
  expect(window.location.search).toBe('');
});

test('a link opens the same page of the table', async () => {
  window.history.replaceState(null, '', '/compare?pairs-order=asc&pairs-first=30');
  expect(shares(await table())).toEqual(countdown(39, 30).toReversed());
});

test('a link to beyond the end shows the last row', async () => {
  window.history.replaceState(null, '', '/compare?pairs-first=4000');
  expect(shares(await table())).toEqual([0]);
});

test('nothing found is said', async () => {
  const place = await table();
  await type(find(place, 'input[type=search]'), 'gemma');
  expect(cellsOf(place)).toEqual([]);
  expect(pager(place)).toBe('No comparisons');
});

test('few rows need neither search nor pages', async () => {
  const few = await table(rows.slice(0, 3));
  expect(shares(few)).toHaveLength(3);
  expect(textsOf(few, 'input, nav')).toEqual([]);
});
