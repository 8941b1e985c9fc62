/** The interval of a balanced accuracy (Brodersen, Ong, Stephan & Buhmann, 2010). */
import { regularisedBeta } from './regularisedBeta.ts';

/** Steps in which the first of the two rates is summed over; the interval's ends are exact to about its inverse squared. */
const steps = 400;

/**
 * 95 % interval of (TPR + TNR) / 2, where `hits` of `positives` and `rejections` of `negatives` were judged rightly: quantiles of the mean of two
 * independent rates, each with Jeffreys' posterior Beta(½ + right, ½ + wrong). Unlike a bootstrap it has a width where everything was right.
 */
export function balancedAccuracyInterval(
  [hits, positives]: readonly [number, number],
  [rejections, negatives]: readonly [number, number],
  level = 0.95,
): [number, number] {
  const key = `${hits} ${positives} ${rejections} ${negatives} ${level}`;
  let known = intervals.get(key);
  if (!known) {
    const below = distribution(
      [hits + 0.5, positives - hits + 0.5],
      [rejections + 0.5, negatives - rejections + 0.5],
    );
    const tail = (1 - level) / 2;
    known = [quantile(below, tail), quantile(below, 1 - tail)];
    if (intervals.size > mostKept) intervals.clear();
    intervals.set(key, known);
  }
  return [...known];
}

/** Labels of thousands of latents share few different counts. */
const intervals = new Map<string, [number, number]>();
const mostKept = 20_000;

/** P((A + B) / 2 ≤ x) for A and B of two beta laws: the mean of P(B ≤ 2x − a) over A. */
function distribution(a: readonly [number, number], b: readonly [number, number]) {
  const mass = Float64Array.from({ length: steps }, (_, i) => {
    return regularisedBeta((i + 1) / steps, ...a) - regularisedBeta(i / steps, ...a);
  });
  return (x: number) => {
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      const rest = Math.min(1, Math.max(0, 2 * x - (i + 0.5) / steps));
      sum += mass[i] * regularisedBeta(rest, ...b);
    }
    return sum;
  };
}

function quantile(below: (x: number) => number, p: number): number {
  let low = 0;
  let high = 1;
  for (let round = 0; round < 20; round++) {
    const middle = (low + high) / 2;
    if (below(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
