/**
 * The share of firing latents above which the dense path is faster. A list's cost is that of visiting a row of the
 * dictionary for each entry, which grows when the dictionary leaves the cache. Measured with `bench train --arch relu
 * --l0 N --path sparse|dense`, batch 2,048, 2 Zen 3 cores, ms a step:
 *
 * | d, latents | share | list | matrix |
 * |---|---|---|---|
 * | 128, 1,024 | 10 % | 17 | 27 |
 * | 128, 1,024 | 20 % | 29 | 28 |
 * | 768, 12,288 | 10 % | 1,010 | 1,257 |
 * | 768, 12,288 | 20 % | 1.5 times the matrix | |
 */
export function measuredDenseAbove(d: number, latents: number): number {
  return d * latents <= 2 ** 21 ? 0.19 : 0.13;
}
