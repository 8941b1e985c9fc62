/** How stability varies with another quantity of the latents, such as density: in groups of equal size, and as a rank correlation. */
import { firstPlace, stableOrder } from '../numerics/stableOrder.ts';

export interface StabilityTrend {
  /** Spearman's ρ of stability with the quantity; NaN where one of them does not vary. */
  readonly rankCorrelation: number;
  /** Latents in ascending order of the quantity, in groups whose sizes differ by at most one. */
  readonly groups: readonly {
    readonly latents: number;
    /** Median of the quantity in the group. */
    readonly at: number;
    /** Mean stability of the group. */
    readonly stability: number;
    /** Share of the group's latents that are shared with no other seed. */
    readonly orphans: number;
  }[];
}

/** Both lists are [latents]; latents with NaN in either are left out. */
export function stabilityTrend(
  stability: ArrayLike<number>,
  quantity: ArrayLike<number>,
  groups = 10,
): StabilityTrend {
  const both = Array.from({ length: stability.length }, (_, i) => i).filter(
    (i) => !Number.isNaN(stability[i]) && !Number.isNaN(quantity[i]),
  );
  const order = stableOrder(both, quantity);
  const cut = (group: number) => Math.round((group * order.length) / groups);
  return {
    rankCorrelation: pearson(ranks(order, stability), ranks(order, quantity)),
    groups: Array.from({ length: groups }, (_, group) => order.slice(cut(group), cut(group + 1)))
      .filter((members) => members.length > 0)
      .map((members) => ({
        latents: members.length,
        at: quantity[members[members.length >> 1]],
        stability: members.reduce((sum, i) => sum + stability[i], 0) / members.length,
        orphans: members.filter((i) => stability[i] === 0).length / members.length,
      })),
  };
}

/** The ranks of the numbers that `items` point at [items], where equal ones get the mean of theirs. */
function ranks(items: Int32Array, values: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(items, (item) => values[item]).sort();
  /** By the first place of a number in `sorted`. */
  const rankAt = new Float64Array(sorted.length);
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    rankAt[from] = (from + to - 1) / 2;
    from = to;
  }
  return Float64Array.from(items, (item) => rankAt[firstPlace(sorted, sorted.length, values[item])]);
}

function pearson(x: Float64Array, y: Float64Array): number {
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, i) => {
    xy += (value - mx) * (y[i] - my);
    xx += (value - mx) ** 2;
    yy += (y[i] - my) ** 2;
  });
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : NaN;
}
