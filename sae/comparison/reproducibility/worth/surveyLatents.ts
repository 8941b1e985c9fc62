/** How often and how strongly each latent fires on held-out rows, and what each alone is worth to the reconstruction. */
import { ReconstructionSums, type ReconstructionMetrics } from '../../../evaluation/reconstructionSums.ts';
import type { CodedRows } from './heldOutCodes.ts';
import type { LatentUse } from './stabilityGroups.ts';

export interface LatentSurvey extends LatentUse {
  /** [latents]: by how much the summed squared error grows when the latent's activation is set to 0. */
  readonly errorChange: Float64Array;
  readonly metrics: ReconstructionMetrics;
  /** x̄ [d] over the rows. */
  readonly mean: Float32Array;
}

/**
 * Without latent i a row's error e = x − x̂ becomes e + f_i d_i, so that its square grows by 2 f_i e·d_i + f_i² ‖d_i‖².
 *
 * @param wDec [latents, d], not necessarily of unit norm
 */
export async function surveyLatents(
  coded: AsyncIterable<CodedRows>,
  { wDec, latents, d }: { wDec: Float32Array; latents: number; d: number },
): Promise<LatentSurvey> {
  const sums = new ReconstructionSums(d, latents);
  const strength = new Float64Array(latents);
  const errorChange = new Float64Array(latents);
  for await (const { x, xHat, code } of coded) {
    sums.add(x, xHat, code);
    for (let row = 0; row < code.rows; row++)
      for (let e = code.rowStart[row]; e < code.rowStart[row + 1]; e++) {
        const latent = code.indices[e];
        const f = code.values[e];
        let product = 0;
        let square = 0;
        for (let j = 0, at = row * d, to = latent * d; j < d; j++, at++, to++) {
          product += (x[at] - xHat[at]) * wDec[to];
          square += wDec[to] * wDec[to];
        }
        errorChange[latent] += f * (2 * product + f * square);
        if (f > strength[latent]) strength[latent] = f;
      }
  }
  return { firings: sums.firings, strength, errorChange, metrics: sums.metrics(), mean: sums.mean() };
}
