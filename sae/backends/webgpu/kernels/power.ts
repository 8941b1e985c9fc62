/**
 * WGSL of `power(x, y)`: x to the y on the bits of floats, with the special values of JavaScript's `Math.pow`. WGSL's own `pow` is
 * exp2(y · log2(x)), whose error grows with the exponent of the result; here the exponent of x is multiplied apart from its logarithm's fraction.
 * Whole exponents up to 16 are multiplied out, so that x to the 1 is x. It needs the functions of elementwise.ts.
 */
export const power = `
// −1 if y isn't a whole number, 0 if it is even, and 1 if it is odd.
fn parity(y: f32) -> i32 {
  let size = abs(y);
  if (size < 1.0) { return -1; }
  if (size >= 16777216.0) { return 0; }
  if (floor(size) != size) { return -1; }
  return i32(u32(size) % 2u);
}
fn times(x: f32, count: u32) -> f32 {
  var result = 1.0;
  var square = x;
  for (var left = count; left > 0u; left >>= 1u) {
    if (left % 2u == 1u) { result *= square; }
    if (left > 1u) { square *= square; }
  }
  return result;
}
// 2 to the n times f, where f is between 1/2 and 2.
fn scaled(f: f32, n: i32) -> u32 {
  if (n > 128) { return infinity; }
  if (n < -151) { return 0u; }
  let half = n / 2;
  return number(f * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u));
}
fn power(x: u32, y: u32) -> u32 {
  let exponent = y & 0x7fffffffu;
  if (exponent == 0u) { return one; }
  if (isNan(x) || isNan(y)) { return notANumber; }
  let size = x & 0x7fffffffu;
  let below = (y >> 31u) == 1u;
  if (exponent == infinity) {
    if (size == one) { return notANumber; }
    return select(0u, infinity, (size > one) != below);
  }
  let whole = parity(bitcast<f32>(y));
  let sign = select(0u, x & 0x80000000u, whole == 1);
  if (size == 0u || size == infinity) { return sign | select(0u, infinity, (size == infinity) != below); }
  if (whole == -1 && (x >> 31u) == 1u) { return notANumber; }
  var lifted = size;
  var binary = 0;
  if (size < 0x00800000u) {
    // A subnormal number is made a normal one without computing with it.
    let shift = firstLeadingBit(size);
    lifted = ((size << (23u - shift)) & 0x007fffffu) | 0x00800000u;
    binary = i32(shift) - 23;
  }
  if (size >= 0x00800000u && whole >= 0 && abs(bitcast<f32>(y)) <= 16.0) {
    let product = times(bitcast<f32>(size), u32(abs(bitcast<f32>(y))));
    let result = number(product);
    // Beyond the range of floats the other way decides.
    if (result >= 0x00800000u && result < infinity) { return sign | number(select(product, 1.0 / product, below)); }
  }
  // x = m · 2^e with m between 0.75 and 1.5.
  var e = i32(lifted >> 23u) - 127 + binary;
  var m = bitcast<f32>((lifted & 0x007fffffu) | one);
  if (m > 1.5) { m *= 0.5; e += 1; }
  let power = clamp(bitcast<f32>(y), -1e30, 1e30);
  // Each part of the exponent has 12 bits, so that its product with e is exact.
  let high = bitcast<f32>(number(power) & 0xfffff000u);
  let low = power - high;
  let whole2 = clamp(round(f32(e) * high), -65536.0, 65536.0);
  let fraction = clamp((f32(e) * high - whole2) + f32(e) * low + power * log2(m), -65536.0, 65536.0);
  let more = round(fraction);
  return sign | scaled(exp2(fraction - more), i32(whole2) + i32(more));
}`;
