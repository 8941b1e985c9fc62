import { describe, expect, it } from 'vitest';
import { floor } from './comparisonSubjects.ts';
import { type Comparison, replaceSection, rowsOf, tableOf } from './comparisonTable.ts';

const comparison: Comparison = {
  subject: 'topk',
  title: 'A step',
  unit: 'ms',
  higherIsBetter: false,
  rounds: [
    { ours: { Lazyscope: 10, [floor]: 8 }, theirs: { slow: 200, fast: 40 } },
    { ours: { Lazyscope: 20, [floor]: 8 }, theirs: { slow: 210, fast: 60 } },
    { ours: { Lazyscope: 10, [floor]: 9 }, theirs: { slow: 190, fast: 50 } },
  ],
  versions: {},
  commands: [],
  machine: 'machine',
  threads: 2,
  load: 2,
  date: '2026-01-01 00:00',
  commit: 'abc',
};

describe('rows of a comparison', () => {
  it('are ours first, then theirs from the fastest on', () => {
    expect(rowsOf(comparison).map(({ name }) => name)).toEqual(['Lazyscope', floor, 'fast', 'slow']);
  });

  it('have ratios of one round each, not of medians', () => {
    const [, , fast] = rowsOf(comparison);
    expect(fast).toEqual({ name: 'fast', median: 50, ratios: [{ median: 4, least: 3, greatest: 5 }] });
  });

  it('turn the ratio round where more is better', () => {
    const rates = { ...comparison, higherIsBetter: true };
    const fast = rowsOf(rates).find(({ name }) => name === 'fast')!;
    expect(fast.ratios).toEqual([{ median: 0.25, least: 0.2, greatest: 1 / 3 }]);
    expect(rowsOf(rates)[2].name).toBe('slow');
  });

  it('are printed with median and range', () => {
    expect(tableOf(comparison)).toContain('| fast | 50.0 | 4.00 (3.00 – 5.00) |');
  });
});

describe('a section of the results', () => {
  it('is added at the end and replaced in place, the rest left alone', () => {
    const both = replaceSection(replaceSection('# Results\n', 'a', 'first'), 'b', 'second');
    const again = replaceSection(both, 'a', 'third');
    expect(again).toBe(both.replace('first', 'third'));
    expect(again).toContain('# Results');
    expect(again.indexOf('third')).toBeLessThan(again.indexOf('second'));
  });
});
