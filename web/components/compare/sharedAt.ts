import type { MatchCosines } from './useMatchCosines.ts';

/** As in sae/comparison/sharedFraction.ts: the cosine of two copies may come out a little below 1. */
const rounding = 1e-6;

/** For every latent of a, its counterpart in b if the two are shared at the threshold, or −1 [latents of a]. */
export function counterpartsAt(
  matches: Pick<MatchCosines, 'decoderMatch' | 'encoderMatch' | 'decoderCosine' | 'encoderCosine'>,
  threshold: number,
): Int32Array {
  const { decoderMatch, encoderMatch, decoderCosine, encoderCosine } = matches;
  return Int32Array.from(decoderMatch, (match, latent) => {
    const least = Math.min(decoderCosine[latent], encoderCosine[latent]);
    return match >= 0 && match === encoderMatch[latent] && least >= threshold - rounding ? match : -1;
  });
}

/** 1 for every point of a map whose latent is shared at the threshold, 0 for the others [points]. */
export function sharedPoints(
  { side, latent }: { side: Float32Array; latent: Float32Array },
  counterparts: Int32Array,
): Float32Array {
  const inB = new Set(counterparts);
  return Float32Array.from(latent, (own, point) =>
    (side[point] === 0 ? counterparts[own] >= 0 : inB.has(own)) ? 1 : 0,
  );
}
