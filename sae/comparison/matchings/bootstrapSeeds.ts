/** Intervals of figures that belong to pairs of seeds: seeds are drawn, not pairs, because pairs with a seed in common go together. */
import type { Interval } from '../../evaluation/bootstrap.ts';
import { Random } from '../../numerics/random.ts';

const resamples = 1000;

/**
 * The middle 95 % of the mean over pairs of different seeds among as many seeds drawn with replacement; a pair counts as often as it is drawn.
 * Null for fewer than three seeds, and where a figure is undefined. The same input gives the same interval.
 */
export function bootstrapSeeds(
  seeds: readonly number[],
  pairs: readonly { readonly a: number; readonly b: number; readonly value: number }[],
): Interval | null {
  if (seeds.length < 3 || !pairs.every(({ value }) => Number.isFinite(value))) return null;
  const random = Random.fromSeed(0, 'bootstrap over seeds');
  const means: number[] = [];
  while (means.length < resamples) {
    const times = new Map<number, number>();
    for (let draw = 0; draw < seeds.length; draw++) {
      const seed = seeds[random.below(seeds.length)];
      times.set(seed, (times.get(seed) ?? 0) + 1);
    }
    let [sum, weight] = [0, 0];
    for (const { a, b, value } of pairs) {
      const own = (times.get(a) ?? 0) * (times.get(b) ?? 0);
      sum += own * value;
      weight += own;
    }
    // One seed drawn every time has no pairs.
    if (weight > 0) means.push(sum / weight);
  }
  means.sort((x, y) => x - y);
  return [means[Math.floor(0.025 * (resamples - 1))], means[Math.ceil(0.975 * (resamples - 1))]];
}
