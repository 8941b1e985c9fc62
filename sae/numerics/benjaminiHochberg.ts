/** Control of the false discovery rate (Benjamini & Hochberg, 1995). */

/**
 * The largest p-value that is still a discovery when the expected share of false ones among the discoveries may be `q`; every p-value
 * up to it is a discovery too. 0 when there is none. NaN stands for a test that was not made, and does not count.
 */
export function discoveryLimit(pValues: ArrayLike<number>, q: number): number {
  const made = Float64Array.from(pValues).filter((p) => !Number.isNaN(p));
  made.sort();
  for (let rank = made.length; rank > 0; rank--)
    if (made[rank - 1] <= (q * rank) / made.length) return made[rank - 1];
  return 0;
}
