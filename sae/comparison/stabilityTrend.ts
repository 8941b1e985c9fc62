/** How stability varies with another quantity of the latents, such as density: in groups of equal size, and as a rank correlation. */

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
  const order = Array.from({ length: stability.length }, (_, i) => i)
    .filter((i) => !Number.isNaN(stability[i]) && !Number.isNaN(quantity[i]))
    .sort((i, j) => quantity[i] - quantity[j] || i - j);
  const cut = (group: number) => Math.round((group * order.length) / groups);
  return {
    rankCorrelation: pearson(ranks(order.map((i) => stability[i])), ranks(order.map((i) => quantity[i]))),
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

/** Ranks, where equal values get the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
  const out = Array.from({ length: values.length }, () => 0);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let at = from; at < to; at++) out[order[at]] = (from + to - 1) / 2;
    from = to;
  }
  return out;
}

function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, i) => {
    xy += (value - mx) * (y[i] - my);
    xx += (value - mx) ** 2;
    yy += (y[i] - my) ** 2;
  });
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : NaN;
}
