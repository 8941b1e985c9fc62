/** The interval of a balanced accuracy (Brodersen, Ong, Stephan & Buhmann, 2010). */
import { regularisedBeta } from './regularisedBeta.ts';

/** Steps of the grid on which posteriors are tabulated; the interval's ends are exact to well below 0.001. */
const steps = 1000;

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
  const [belowA, belowB] = [tabulated(...a), tabulated(...b)];
  return (x: number) => {
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      const at = Math.min(steps, Math.max(0, 2 * x * steps - (i + 0.5)));
      const low = Math.min(steps - 1, Math.floor(at));
      const below = belowB[low] + (at - low) * (belowB[low + 1] - belowB[low]);
      sum += (belowA[i + 1] - belowA[i]) * below;
    }
    return sum;
  };
}

/** The distribution function of Beta(a, b) on the grid [steps + 1]. Labels have few different pairs of counts. */
function tabulated(a: number, b: number): Float64Array {
  const key = `${a} ${b}`;
  let known = tables.get(key);
  if (!known) {
    known = Float64Array.from({ length: steps + 1 }, (_, i) => regularisedBeta(i / steps, a, b));
    if (tables.size >= mostTables) tables.clear();
    tables.set(key, known);
  }
  return known;
}

const tables = new Map<string, Float64Array>();
const mostTables = 4_000;

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
