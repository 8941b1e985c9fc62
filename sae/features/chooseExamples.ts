/**
 * Which of a latent's firings to show: the strongest, and a sample from each fifth of its range of activations, so that weak
 * activations can be judged as well.
 *
 * A context is represented by its strongest firing and is shown at most once in a band. The sample is the contexts with the
 * smallest hash of (latent, context), which is the same on every run and does not depend on the order of contexts.
 */
import type { FiringsByLatent } from './collectFirings.ts';
import { Largest } from './largest.ts';

export const topExamples = 20;
export const bands = 5;
export const examplesPerBand = 5;

export interface Example {
  band: 'top' | `quantile-${number}`;
  /** Rank within its band, from 0 for the strongest. */
  rank: number;
  /** Index of the peak in the lists of `FiringsByLatent`. */
  firing: number;
}

/** Examples of one latent: the top ones, then the bands from weakest to strongest. Band b is (b, b + 1]·max/5. */
export function chooseExamples(firings: FiringsByLatent, latent: number, rowsPerContext: number): Example[] {
  const { start, rows, values } = firings;
  const peaks: { firing: number; context: number }[] = [];
  let max = 0;
  for (let at = start[latent]; at < start[latent + 1]; at++) {
    const context = Math.floor(rows[at] / rowsPerContext);
    const last = peaks.at(-1);
    if (last?.context !== context) peaks.push({ firing: at, context });
    else if (values[at] > values[last.firing]) last.firing = at;
    max = Math.max(max, values[at]);
  }
  const top = new Largest(topExamples);
  const samples = Array.from({ length: bands }, () => new Largest(examplesPerBand));
  for (const { firing, context } of peaks) {
    top.offer(values[firing], firing);
    const band = Math.min(bands, Math.ceil((values[firing] / max) * bands)) - 1;
    samples[Math.max(band, 0)].offer(-hash(latent, context), firing);
  }
  const examples: Example[] = [];
  top.places.forEach((firing, rank) => examples.push({ band: 'top', rank, firing }));
  for (const [band, sample] of samples.entries()) {
    const chosen = [...sample.places].sort((a, b) => values[b] - values[a] || a - b);
    chosen.forEach((firing, rank) => examples.push({ band: `quantile-${band}`, rank, firing }));
  }
  return examples;
}

function hash(latent: number, context: number): number {
  let h = Math.imul(latent + 1, 0x9e3779b1) ^ Math.imul(context + 1, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
