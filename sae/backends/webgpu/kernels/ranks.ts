/**
 * Floats, given as bits, in the order of topKEncode: `rank` is 0 for those that never fire, and for what is not finite
 * `notFinite`, above every number. `valueOf` a rank is what it comes out as, in bits.
 */
export const ranks = `
const notFinite = 0x7f800000u;
fn rank(bits: u32) -> u32 {
  if ((bits & notFinite) == notFinite) { return select(notFinite, 0u, bits == 0xff800000u); }
  return select(bits, 0u, (bits >> 31u) == 1u);
}
fn valueOf(rank: u32) -> u32 { return select(rank, 0x7fc00000u, rank == notFinite); }`;
