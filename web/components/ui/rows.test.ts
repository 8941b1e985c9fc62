import { describe, expect, test } from 'vitest';
import { findRows } from './findRows.ts';
import { sortRows } from './sortRows.ts';

describe('rows of a table', () => {
  const rows = [
    { name: 'topk-10', l0: 32 },
    { name: 'relu-2', l0: null },
    { name: 'topk-2', l0: 64 },
    { name: 'jump-1', l0: 32 },
  ];
  const order = (way: 'asc' | 'desc') =>
    sortRows(
      rows,
      way,
      (row) => row.l0,
      (row) => row.name,
    ).map((row) => row.name);

  test('go by their value, ties by name, what is unknown last whichever way', () => {
    expect(order('asc')).toEqual(['jump-1', 'topk-10', 'topk-2', 'relu-2']);
    expect(order('desc')).toEqual(['topk-2', 'jump-1', 'topk-10', 'relu-2']);
  });

  test('numbers in names count as numbers', () => {
    const byName = sortRows(
      rows,
      'asc',
      (row) => row.name,
      (row) => row.name,
    );
    expect(byName.map((row) => row.name)).toEqual(['jump-1', 'relu-2', 'topk-2', 'topk-10']);
  });

  test('are found by every word, in any order and case', () => {
    const found = (find: string) => findRows(rows, find, (row) => row.name).map((row) => row.name);
    expect(found('2 TOPK')).toEqual(['topk-2']);
    expect(found('  ')).toHaveLength(4);
    expect(found('topk relu')).toEqual([]);
  });
});
