/** In which layers a crosscoder's latents live, by the norms of their decoder blocks (Lindsey et al., 2024; METHODS.md §1). */

/**
 * ‖W_dec,i^l‖ [latents][layers], in units in which all layers' activations are of one size.
 *
 * @param wDec [latents, width of all layers together]
 */
export function decoderNorms(wDec: Float32Array, layers: readonly { readonly width: number }[]): number[][] {
  const d = layers.reduce((sum, { width }) => sum + width, 0);
  return Array.from({ length: wDec.length / d }, (_, latent) => {
    let at = latent * d;
    return layers.map(({ width }) => {
      let square = 0;
      for (const end = at + width; at < end; at++) square += wDec[at] ** 2;
      return Math.sqrt(square);
    });
  });
}

/** Each norm over the sum of all of them; equal shares where all are 0. */
export function sharesOf(norms: readonly number[]): number[] {
  const size = norms.reduce((sum, norm) => sum + norm, 0);
  return norms.map((norm) => (size > 0 ? norm / size : 1 / norms.length));
}

const bins = 20;

/** For each layer the latents by their share there, counted in 20 equal bins on [0, 1]; the last has its upper end. */
export function shareHistograms(norms: readonly (readonly number[])[]): number[][] {
  const counts = (norms[0] ?? []).map(() => Array.from<number>({ length: bins }).fill(0));
  for (const own of norms)
    for (const [layer, share] of sharesOf(own).entries())
      counts[layer][Math.min(bins - 1, Math.floor(share * bins))]++;
  return counts;
}

/** [layers]: the mean over latents of their shares. */
export function meanShares(norms: readonly (readonly number[])[]): number[] {
  const shares = norms.map(sharesOf);
  return (shares[0] ?? []).map((_, at) => shares.reduce((sum, row) => sum + row[at], 0) / shares.length);
}
