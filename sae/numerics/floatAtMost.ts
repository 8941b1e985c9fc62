/** The largest single-precision number that is not above x. A single-precision number exceeds it exactly when it exceeds x. */
export function floatAtMost(x: number): number {
  const single = Float32Array.of(x);
  if (!(single[0] > x)) return single[0];
  const bits = new Int32Array(single.buffer);
  // The next one below: of positive numbers the bits are one less, of negative ones one more, and below 0 is the least negative one.
  if (single[0] === 0) return -1.401298464324817e-45;
  bits[0] += single[0] > 0 ? -1 : 1;
  return single[0];
}
