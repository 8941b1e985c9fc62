/**
 * A pseudo-random permutation of 0 … size−1 that is computed, not stored: an unbalanced Feistel network over
 * pairs (left, right) with left < a, right < b, a·b ≥ size (Black & Rogaway 2002, "Ciphers with arbitrary finite
 * domains", the generalised-Feistel and cycle-walking methods). Every round is invertible, so the network is a
 * bijection on 0 … ab−1, and following its cycle until the value is below `size` is a bijection on 0 … size−1.
 * a·b exceeds `size` by less than a, so that almost no value needs a second step.
 */
import { Random } from '../tensor/random.ts';

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

  /** Where `index` goes. */
  at(index: number): number {
    let value = index;
    do value = this.#network(value);
    while (value >= this.size);
    return value;
  }

  #network(value: number): number {
    const a = this.#a;
    const b = this.#b;
    let left = value % a;
    let right = (value - left) / a;
    for (let round = 0; round < rounds; round += 2) {
      left = (left + (mix(right, this.#keys[round]) % a)) % a;
      right = (right + (mix(left, this.#keys[round + 1]) % b)) % b;
    }
    return right * a + left;
  }
}

/** Scatters 32 bits (the finaliser of MurmurHash3 with a key). */
function mix(value: number, key: number): number {
  let h = value ^ key;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
