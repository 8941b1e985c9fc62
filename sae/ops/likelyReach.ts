/**
 * How many candidates of each process are worth sending: its part of the k largest if latents were spread at random, and six standard
 * deviations (of a binomial distribution) more, at most k.
 */
export function likelyReach(k: number, ranks: number): number {
  const part = k / ranks;
  return Math.min(k, Math.ceil(part + 6 * Math.sqrt(part * (1 - 1 / ranks))));
}
