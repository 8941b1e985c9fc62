/**
 * WGSL of the order of topKEncode, on the bits of floats: `rank` is 0 for values that do not fire, and for values that are not
 * finite `notFinite`, which is above every number. `valueOf(rank)` gives the bits of the value in the result.
 */
export const ranks = `
const notFinite = 0x7f800000u;
fn rank(bits: u32) -> u32 {
  if ((bits & notFinite) == notFinite) { return select(notFinite, 0u, bits == 0xff800000u); }
  return select(bits, 0u, (bits >> 31u) == 1u);
}
fn valueOf(rank: u32) -> u32 { return select(rank, 0x7fc00000u, rank == notFinite); }`;
