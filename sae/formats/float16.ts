/**
 * IEEE 754 half precision, as bits in a Uint16Array. Node 20 has no Float16Array, so widening goes through a
 * table of all 65,536 values, which is also the fastest way measured.
 */
let widened: Float32Array | undefined;

/** The value of every bit pattern, [65536]. */
export function float16Table(): Float32Array {
  if (widened) return widened;
  const table = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 0x3ff;
    if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  widened = table;
  return table;
}

export function float16ToFloat32(
  source: Uint16Array,
  out = new Float32Array(source.length),
  outStart = 0,
): Float32Array {
  const table = float16Table();
  for (let i = 0; i < source.length; i++) out[outStart + i] = table[source[i]];
  return out;
}

/** Rounds to nearest, ties to even; what is too large becomes infinite, as in PyTorch's `.half()`. */
export function float32ToFloat16(source: Float32Array, out = new Uint16Array(source.length)): Uint16Array {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) out[i] = sign | 0x7e00;
    else if (magnitude >= 0x47800000) out[i] = sign | 0x7c00;
    else if (magnitude >= 0x38800000) {
      // Normal: rebias the exponent (127 → 15) and round away 13 bits; a carry runs into the exponent as it should.
      const odd = (magnitude >>> 13) & 1;
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
    } else if (magnitude < 0x33000000) out[i] = sign;
    else {
      // Subnormal: shift the full mantissa to units of 2⁻²⁴.
      const shift = 126 - (magnitude >>> 23);
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const half = 1 << (shift - 1);
      const odd = (mantissa >>> shift) & 1;
      out[i] = sign | ((mantissa + half - 1 + odd) >>> shift);
    }
  }
  return out;
}
