/**
 * Intervals by the percentile bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13): the figures
 * are computed again from contexts drawn with replacement, and the interval is what lies in the middle of them.
 *
 * Contexts are drawn, not tokens, because the losses of neighbouring tokens go together.
 */
import { Random } from '../numerics/random.ts';

export type Interval = [low: number, high: number];

export const intervalLevel = 0.95;
const resamples = 1000;

/**
 * The interval of each figure, null where a figure is undefined in a resample that bounds it. `columns` are sums or
 * means by context, each [contexts]; `figures` computes the figures from their means over contexts. The same input gives
 * the same intervals.
 */
export function bootstrap<Column extends string, Figure extends string>(
  columns: Record<Column, Float64Array>,
  figures: (means: Record<Column, number>) => Record<Figure, number>,
): Record<Figure, Interval | null> {
  const names = Object.keys(columns) as Column[];
  const contexts = columns[names[0]].length;
  const random = Random.fromSeed(0, 'bootstrap over contexts');
  const drawn = new Map<Figure, Float64Array>();
  const means = {} as Record<Column, number>;
  for (let resample = 0; resample < resamples; resample++) {
    for (const name of names) means[name] = 0;
    for (let draw = 0; draw < contexts; draw++) {
      const context = random.below(contexts);
      for (const name of names) means[name] += columns[name][context];
    }
    for (const name of names) means[name] /= contexts;
    for (const [figure, value] of Object.entries(figures(means)) as [Figure, number][]) {
      let values = drawn.get(figure);
      if (!values) drawn.set(figure, (values = new Float64Array(resamples)));
      values[resample] = value;
    }
  }
  return Object.fromEntries([...drawn].map(([figure, values]) => [figure, middle(values)])) as Record<
    Figure,
    Interval | null
  >;
}

function middle(values: Float64Array): Interval | null {
  if (!values.every(Number.isFinite)) return null;
  values.sort();
  const outside = ((1 - intervalLevel) / 2) * (values.length - 1);
  return [values[Math.floor(outside)], values[Math.ceil(values.length - 1 - outside)]];
}
