/** bfloat16: the upper half of a float32, as bits in a Uint16Array. */
export function bfloat16ToFloat32(source: Uint16Array): Float32Array {
  const words = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) words[i] = source[i] << 16;
  return new Float32Array(words.buffer);
}

/** Rounds to nearest, ties to even. */
export function float32ToBfloat16(source: Float32Array): Uint16Array {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if ((word & 0x7fffffff) > 0x7f800000) out[i] = (word >>> 16) | 0x40;
    else out[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}
