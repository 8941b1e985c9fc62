/**
 * Fits the laws by which the activation ratio A depends on the number of training tokens D (Sparsing Law, 2411.02335): for activation
 * functions with exact zeros a decreasing logspace power law, A = exp(−c·D^α + b) + A₀; for smooth ones an increasing power law,
 * A = A₀ − c/D^α. D is divided by its largest value, so that c is comparable between trainings of different lengths.
 */
import { LazyscopeError } from '../../errors.ts';

export type LawForm = 'logspace-power' | 'power';

export interface FittedLaw {
  form: LawForm;
  alpha: number;
  c: number;
  /** 0 in the vanilla power law. */
  b: number;
  /** A₀, the activation ratio in the limit of infinite training. */
  limit: number;
  /** Share of the variance of A explained. */
  r2: number;
}

/** tokens and ratio [observations], tokens above 0. Throws 'bad_input' for fewer than 5 observations. */
export function fitLaw(form: LawForm, tokens: readonly number[], ratio: readonly number[]): FittedLaw {
  if (tokens.length !== ratio.length || tokens.length < 5 || tokens.some((d) => !(d > 0)))
    throw new LazyscopeError(
      'bad_input',
      `A law is fitted to 5 observations or more after the first token, but got ${tokens.length}.`,
    );
  const largest = Math.max(...tokens);
  const d = tokens.map((value) => value / largest);
  return form === 'power' ? fitPower(d, ratio) : fitLogspacePower(d, ratio);
}

/** A(D), where D is a share of the largest number of tokens that was fitted. */
export function lawAt({ form, alpha, c, b, limit }: FittedLaw, d: number): number {
  return form === 'power' ? limit - c / d ** alpha : Math.exp(-c * d ** alpha + b) + limit;
}

/** For a given α the law is linear in c and A₀; α is found by grid search. */
function fitPower(d: readonly number[], ratio: readonly number[]): FittedLaw {
  const at = (alpha: number) => {
    const { slope, intercept } = line(
      d.map((value) => value ** -alpha),
      ratio,
    );
    return scored({ form: 'power', alpha, c: -slope, b: 0, limit: intercept, r2: 0 }, d, ratio);
  };
  return closeIn([[0.02, 3]], ([alpha]) => at(alpha));
}

/** For given α and A₀ the logarithm is linear in c and b, with weights that make it least squares in A itself; α and A₀ are found by grid search. */
function fitLogspacePower(d: readonly number[], ratio: readonly number[]): FittedLaw {
  const lowest = Math.min(...ratio);
  const at = (alpha: number, share: number) => {
    const limit = lowest * share;
    const above = ratio.map((a) => Math.max(a - limit, 1e-12));
    const { slope, intercept } = line(
      d.map((value) => value ** alpha),
      above.map(Math.log),
      above.map((a) => a * a),
    );
    return scored({ form: 'logspace-power', alpha, c: -slope, b: intercept, limit, r2: 0 }, d, ratio);
  };
  return closeIn(
    [
      [0.02, 3],
      [0, 0.9999],
    ],
    ([alpha, share]) => at(alpha, share),
  );
}

/** Weighted least squares of y on x. */
function line(x: readonly number[], y: readonly number[], weights: readonly number[] = x.map(() => 1)) {
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value, i) => sum + value * weights[i], 0) / total;
  const [mx, my] = [mean(x), mean(y)];
  const covariance = mean(x.map((value, i) => (value - mx) * (y[i] - my)));
  const variance = mean(x.map((value) => (value - mx) ** 2));
  const slope = variance > 0 ? covariance / variance : 0;
  return { slope, intercept: my - slope * mx };
}

function scored(law: FittedLaw, d: readonly number[], ratio: readonly number[]): FittedLaw {
  const mean = ratio.reduce((a, b) => a + b, 0) / ratio.length;
  const spread = ratio.reduce((sum, a) => sum + (a - mean) ** 2, 0);
  const error = ratio.reduce((sum, a, i) => sum + (a - lawAt(law, d[i])) ** 2, 0);
  return { ...law, r2: spread === 0 ? 1 : 1 - error / spread };
}

const gridPoints = 17;
const rounds = 14;

/** Grid search over a box, repeated with ever finer grids around the best point. */
function closeIn(
  box: readonly (readonly [number, number])[],
  at: (point: readonly number[]) => FittedLaw,
): FittedLaw {
  let bounds = box;
  let best: { law: FittedLaw; point: readonly number[] } | undefined;
  for (let round = 0; round < rounds; round++) {
    for (const point of grid(bounds)) {
      const law = at(point);
      if (!best || law.r2 > best.law.r2) best = { law, point };
    }
    const centre = best!.point;
    bounds = bounds.map(([low, high], axis) => {
      const half = (2.5 * (high - low)) / (gridPoints - 1);
      return [Math.max(box[axis][0], centre[axis] - half), Math.min(box[axis][1], centre[axis] + half)];
    });
  }
  return best!.law;
}

function grid(bounds: readonly (readonly [number, number])[]): number[][] {
  return bounds.reduce<number[][]>(
    (points, [low, high]) =>
      points.flatMap((point) =>
        Array.from({ length: gridPoints }, (_, i) => [...point, low + ((high - low) * i) / (gridPoints - 1)]),
      ),
    [[]],
  );
}
