/** How likely random directions are to come as near to a latent as its counterpart does: a p-value for each matched pair. */
import type { Counterparts } from '../counterparts.ts';
import type { Directions } from '../directions.ts';
import { inEigenbasis, type Spectrum } from './activationSpectrum.ts';
import { condensedSpectrum } from './condensedSpectrum.ts';
import { isotropicExceedance, largestExceedance } from './isotropicLaw.ts';
import { rowExceedance } from './rowLaw.ts';

/**
 * [rows]: P(the nearest of `count` isotropic directions is as near as the counterpart), NaN without a counterpart. A counterpart in a
 * one-to-one matching is at most as near as the nearest, so that the p-value errs on the side of chance.
 */
export function isotropicChance({ cosine }: Counterparts, d: number, count: number): Float64Array {
  return cosine.map((c) => (Number.isNaN(c) ? NaN : largestExceedance(isotropicExceedance(c, d), count)));
}

/** The same among directions drawn by a spectrum. `rows` [rows, d] are the unit decoder rows of a; the law is that of each row. */
export function spectrumChance(
  { cosine }: Counterparts,
  rows: Directions,
  { spectrum, count, progress }: { spectrum: Spectrum; count: number; progress?: (rows: number) => void },
): Float64Array {
  const { d } = rows;
  const condensed = condensedSpectrum(spectrum.eigenvalues);
  const size = condensed.eigenvalues.length;
  const out = new Float64Array(rows.rows).fill(NaN);
  const chunk = 1024;
  for (let from = 0; from < rows.rows; from += chunk) {
    const to = Math.min(rows.rows, from + chunk);
    const coordinates = inEigenbasis(spectrum, rows.data.subarray(from * d, to * d));
    const squares = condensed.squares(coordinates);
    for (let i = from; i < to; i++)
      if (!Number.isNaN(cosine[i]))
        out[i] = largestExceedance(
          rowExceedance(cosine[i], condensed.eigenvalues, squares, (i - from) * size, condensed.counts),
          count,
        );
    progress?.(to);
  }
  return out;
}
