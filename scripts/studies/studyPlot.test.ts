import { expect, test } from 'vitest';
import { studyPlot } from './studyPlot.ts';

const line = {
  name: 'TopK',
  colour: '#b94a08',
  points: [3, 9, 15].map((x) => ({ x, y: 0.1, low: 0.05, high: 0.0001 })),
};
const plotted = (scale?: 'log' | 'linear') =>
  studyPlot([line], { title: 'Depth', x: { label: 'after block', format: String, ...(scale && { scale }) } });
const centres = (svg: string) =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);

test('a linear axis has equal steps at equal distances, a logarithmic one equal ratios', () => {
  // The plot runs from 56 to 450.
  expect(centres(plotted('linear')).map(([x]) => x)).toEqual([56, 253, 450]);
  const [, [middle]] = centres(plotted());
  expect(middle).toBeCloseTo(56 + (394 * Math.log(3)) / Math.log(5), 0);
  expect(plotted()).toContain('after block (log)');
  expect(plotted('linear')).not.toContain('(log)');
});

test('shares stand on a logarithmic axis, and what is below its foot is drawn at the foot', () => {
  const [[, y]] = centres(plotted());
  // From 34 for 100 % to 256 for 0.1 %: 10 % is a third of the way down.
  expect(y).toBeCloseTo(34 + 222 / 3, 1);
  expect(plotted()).toContain('V256.0');
});
