/** Attention with linear biases (Press et al., 2108.12409). */
import type { Alibi } from './modelConfig.ts';

/**
 * Slopes [heads]: powers of 2^(−8/n) for the largest power of two n ≤ heads; further heads take every other power of the
 * sequence for 2n.
 */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const powers = (count: number, of: number, step: number) =>
    Array.from({ length: count }, (_, i) => 2 ** ((-8 / of) * (1 + i * step)));
  return [...powers(whole, whole, 1), ...powers(heads - whole, 2 * whole, 2)];
}

/**
 * What is added to the scores, [heads, keys]. It grows with the key's position instead of falling with the distance, which
 * differs by a constant a query and so not after the softmax.
 */
export function alibiBias(heads: number, keys: number, alibi: Alibi, scale: number): Float32Array {
  const round = alibi.bfloat16 ? toBfloat16 : (x: number) => x;
  const slopes = alibiSlopes(heads).map(round);
  const factor = alibi.scaled ? scale : 1;
  return Float32Array.from({ length: heads * keys }, (_, i) => {
    const [head, key] = [Math.floor(i / keys), i % keys];
    return round(slopes[head] * key) * factor;
  });
}

/** The nearest number with 8 significant bits; halfway, the even one. */
function toBfloat16(x: number): number {
  const float = new Float32Array([x]);
  const bits = new Uint32Array(float.buffer);
  bits[0] = ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000) >>> 0;
  return float[0];
}
