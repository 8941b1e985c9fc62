/**
 * The laws by which the activation ratio A follows the tokens seen D (Sparsing Law, 2411.02335): where sparsity is exact
 * a logspace power law that falls, A = exp(−c·D^α + b) + A₀; for smooth functions a vanilla power law that rises,
 * A = A₀ − c/D^α. D is taken in units of the largest, so that c means the same for every budget.
 */
import { LazyscopeError } from '../../errors.ts';

export type LawForm = 'logspace-power' | 'power';

export interface FittedLaw {
  form: LawForm;
  alpha: number;
  c: number;
  /** 0 in the vanilla power law. */
  b: number;
  /** The ratio after endless training. */
  limit: number;
  /** Share of the variance of A explained. */
  r2: number;
}

/** tokens and ratio by observation; tokens above 0. Throws 'bad_input' for fewer than 5 observations. */
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

/** A(D), D in the fit's units. */
export function lawAt({ form, alpha, c, b, limit }: FittedLaw, d: number): number {
  return form === 'power' ? limit - c / d ** alpha : Math.exp(-c * d ** alpha + b) + limit;
}

/** Given α it is linear in c and A₀; α by a grid that closes in. */
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

/** Given α and A₀ it is linear in c and b on the logarithm, weighted so that errors of A itself count. */
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

/** Least squares of y on x. */
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

/** The best of a grid over the box, then of a finer one around it, and so on. */
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
