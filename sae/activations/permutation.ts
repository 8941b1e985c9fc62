/**
 * A pseudo-random permutation of 0 … size−1 that is computed, not stored: an unbalanced Feistel network over
 * pairs (left, right) with left < a, right < b, a·b ≥ size (Black & Rogaway 2002, "Ciphers with arbitrary finite
 * domains", the generalised-Feistel and cycle-walking methods). Every round is invertible, so the network is a
 * bijection on 0 … ab−1, and following its cycle until the value is below `size` is a bijection on 0 … size−1.
 * a·b exceeds `size` by less than a, so that almost no value needs a second step.
 */
import { Random } from '../numerics/random.ts';

const rounds = 8;

export class Permutation {
  readonly size: number;
  #a: number;
  #b: number;
  #keys: Uint32Array;

  /** The same size, seed and stream give the same permutation. */
  constructor(size: number, seed: number, stream: string | number) {
    if (!Number.isInteger(size) || size < 1 || size > 2 ** 32)
      throw new RangeError(`a permutation of ${size} items`);
    this.size = size;
    this.#a = Math.ceil(Math.sqrt(size));
    this.#b = Math.ceil(size / this.#a);
    const random = Random.fromSeed(seed, stream);
    this.#keys = Uint32Array.from({ length: rounds }, () => random.uint32());
  }

  /** The image of `index`, both in 0 … size−1. */
  at(index: number): number {
    let value = index;
    do value = this.#network(value);
    while (value >= this.size);
    return value;
  }

  #network(value: number): number {
    const a = this.#a;
    const b = this.#b;
    const keys = this.#keys;
    // A 32-bit hash times a/2³², cut to a whole number, is even on 0 … a−1 and needs no division.
    const scaleA = a / 2 ** 32;
    const scaleB = b / 2 ** 32;
    let right = Math.floor(value / a);
    let left = value - right * a;
    for (let round = 0; round < rounds; round += 2) {
      left += (mix(right, keys[round]) * scaleA) | 0;
      if (left >= a) left -= a;
      right += (mix(left, keys[round + 1]) * scaleB) | 0;
      if (right >= b) right -= b;
    }
    return right * a + left;
  }
}

/** Mixes 32 bits with a key (the finaliser of MurmurHash3). */
function mix(value: number, key: number): number {
  let h = value ^ key;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
