/** Histogram of firing densities on a logarithmic scale: 28 bins of a quarter of a decade, from 10⁻⁷ to 1. */
const lowest = -7;
const binsPerDecade = 4;
const bins = -lowest * binsPerDecade;

/** Counts of latents by log10(firings / tokens). Dead latents are left out; rarer than 10⁻⁷ falls in the first bin. */
export function densityHistogram(
  firings: ArrayLike<number>,
  tokens: number,
): { edges: number[]; counts: number[] } {
  const edges = Array.from({ length: bins + 1 }, (_, i) => lowest + i / binsPerDecade);
  const counts = Array.from({ length: bins }, () => 0);
  for (let latent = 0; latent < firings.length; latent++) {
    if (firings[latent] === 0) continue;
    const bin = Math.floor((Math.log10(firings[latent] / tokens) - lowest) * binsPerDecade);
    counts[Math.min(Math.max(bin, 0), bins - 1)]++;
  }
  return { edges, counts };
}
