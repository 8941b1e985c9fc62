/**
 * PPL-p % (Sparsing Law, 2411.02335): the largest CETT, the same for all layers, at which perplexity rises by at most p %, and the
 * share of neurons that are still active there.
 */
import type { MeasuredIntervention } from './intervention.ts';

export interface PplPoint {
  p: number;
  cett: number;
  ratio: number;
  perplexity: number;
}

/** Bisection stops when CETT is known to this precision, or perplexity is within a tenth of the allowed rise. */
const precision = 1e-3;

/** The most evaluations that pplP asks for. */
export function pplPEvaluations(percentages: readonly number[]): number {
  return 2 + percentages.length * Math.ceil(Math.log2(1 / precision));
}

/**
 * `evaluate` measures the model masked at a CETT; its results are reused for every p, and so are those in `measured`, by
 * CETT. `base` is the perplexity of the unmasked model.
 */
export async function pplP(
  evaluate: (cett: number) => Promise<MeasuredIntervention>,
  base: number,
  percentages: readonly number[],
  measured: ReadonlyMap<number, MeasuredIntervention> = new Map(),
): Promise<PplPoint[]> {
  const known = new Map(measured);
  const at = async (cett: number) => {
    const before = known.get(cett);
    if (before) return before;
    const evaluated = await evaluate(cett);
    known.set(cett, evaluated);
    return evaluated;
  };
  await at(0);
  await at(1);
  const points: PplPoint[] = [];
  for (const p of percentages) points.push(await pointFor(p));
  return points;

  async function pointFor(p: number): Promise<PplPoint> {
    const limit = base * (1 + p / 100);
    const ordered = [...known.keys()].sort((x, y) => x - y);
    // Perplexity need not be monotone: the crossing is looked for below the first value that is too large.
    const above = ordered.findIndex((cett) => known.get(cett)!.perplexity > limit);
    if (above < 0) return point(p, 1, await at(1));
    let high = ordered[above];
    let low = ordered[above - 1] ?? 0;
    while (high - low > precision && limit - (await at(low)).perplexity > 0.1 * (limit - base)) {
      const middle: number = (low + high) / 2;
      if ((await at(middle)).perplexity > limit) high = middle;
      else low = middle;
    }
    return point(p, low, await at(low));
  }
}

const point = (p: number, cett: number, { sparsity, perplexity }: MeasuredIntervention): PplPoint => ({
  p,
  cett,
  ratio: 1 - sparsity,
  perplexity,
});
