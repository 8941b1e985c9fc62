// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { featureView } from '../../../sae/spec/tables/features.ts';
import { cellsOf, click, find, press, rendered, textsOf } from '../testing/rendered.tsx';
import { DataTable, type Column } from './DataTable.tsx';
import { describedColumn } from './describedColumn.tsx';
import type { Order } from './sortRows.ts';

interface Row {
  latent: number;
  density: number | null;
}
const rows: Row[] = [
  { latent: 7, density: 0.0314 },
  { latent: 9, density: null },
  { latent: 1234, density: 1 },
];
const columns: Column<Row>[] = [
  { key: 'latent', header: 'Latent', render: (row) => <a href={`/${row.latent}`}>{row.latent}</a> },
  describedColumn<Row, typeof featureView, 'density'>(featureView, 'density', {}),
  { key: 'find', header: 'Find', render: () => <input aria-label="find" /> },
];

function table(sorting?: { by: string; order: Order }, given: readonly Row[] = rows) {
  const asked: [string, Order][] = [];
  const place = rendered(
    <DataTable
      caption="Latents"
      columns={columns}
      rows={given}
      rowKey={(row) => String(row.latent)}
      current={(row) => row.latent === 9}
      {...(sorting && {
        sorting: { ...sorting, change: (by: string, order: Order) => asked.push([by, order]) },
      })}
    />,
  );
  return { place, asked };
}

test('a number is printed as its table describes it, and a missing one as a dash', async () => {
  const place = await table().place;
  expect(cellsOf(place).map(([latent, density]) => [latent, density])).toEqual([
    ['7', '3.14 %'],
    ['9', '–'],
    ['1234', '100.00 %'],
  ]);
  expect(find(place, 'caption').textContent).toBe('Latents');
  expect(textsOf(place, 'tr[aria-current="true"] td')[0]).toBe('9');
});

test('without rows the headers stay', async () => {
  const place = await table(undefined, []).place;
  expect(cellsOf(place)).toEqual([]);
  expect(textsOf(place, 'th')).toHaveLength(3);
});

test('a column is sorted largest first, then smallest first; others say nothing of their order', async () => {
  const other = table({ by: 'latent', order: 'asc' });
  await click(find(await other.place, 'th:nth-child(2) button[aria-label^="Sort by"]'));
  expect(other.asked).toEqual([['density', 'desc']]);
  expect(find(await other.place, 'th:nth-child(2)').getAttribute('aria-sort')).toBe(null);

  const same = table({ by: 'density', order: 'desc' });
  const header = find(await same.place, 'th:nth-child(2)');
  expect(header.getAttribute('aria-sort')).toBe('descending');
  const button = find(header, 'button[aria-label^="Sort by"]');
  expect(button.getAttribute('aria-label')).toBe('Sort by density, smallest first');
  await click(button);
  expect(same.asked).toEqual([['density', 'asc']]);
  // The first column has no order on the server.
  expect((await same.place).querySelectorAll('button[aria-label^="Sort by"]')).toHaveLength(1);
});

test('the keyboard moves between rows, and leaves typing in a field alone', async () => {
  const place = await table().place;
  const links = [...place.querySelectorAll<HTMLElement>('tbody a')];
  const focused = () => links.indexOf(document.activeElement as HTMLElement);
  links[0].focus();
  const after = async (key: string) => {
    await press(document.activeElement as HTMLElement, key);
    return focused();
  };
  expect(await after('ArrowDown')).toBe(1);
  expect(await after('j')).toBe(2);
  expect(await after('ArrowDown')).toBe(2);
  expect(await after('k')).toBe(1);
  expect(await after('Home')).toBe(0);
  expect(await after('ArrowUp')).toBe(0);
  expect(await after('End')).toBe(2);
  const field = find(place, 'tbody input');
  field.focus();
  await press(field, 'j');
  expect(document.activeElement).toBe(field);
});
