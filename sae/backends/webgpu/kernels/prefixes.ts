/** Ends of the prefixes of a Matryoshka dictionary, ascending; the last is the number of latents. */
export type Prefixes = Int32Array;

/**
 * WGSL of `blockOf(latent)`, the place of the first prefix that has a latent. The ends are written out, as they are the same in all steps of a
 * training.
 */
export const blockOf = (prefixes: Prefixes): string => `
fn blockOf(latent: u32) -> u32 {
  return ${Array.from(prefixes.subarray(0, -1), (end) => `u32(latent >= ${end}u)`).join(' + ') || '0u'};
}`;
