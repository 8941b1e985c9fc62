/**
 * Seeded random numbers whose whole state is four words, so that a checkpoint can hold it and a resumed
 * run draws what the interrupted one would have drawn. Generator: xoshiro128** (Blackman & Vigna, 2018),
 * seeded by splitmix32 as its authors advise.
 */
export type RandomState = readonly [number, number, number, number];

export class Random {
  #s: [number, number, number, number];

  private constructor(state: [number, number, number, number]) {
    this.#s = state;
  }

  /** The same seed and stream give the same numbers everywhere. Streams of one seed are independent. */
  static fromSeed(seed: number, stream: string | number = 0): Random {
    // The seed is spread over the word before the stream is hashed in: a bare xor would give seed 1,
    // stream 'b' the numbers of seed 2, stream 'a'.
    let h = Math.imul(seed | 0, 0x9e3779b1) ^ 0x811c9dc5;
    for (const c of String(stream)) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193);
    const next = () => {
      h = (h + 0x9e3779b9) | 0;
      let z = h;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    return new Random([next(), next(), next(), next()]);
  }

  static fromState(state: RandomState): Random {
    return new Random([state[0], state[1], state[2], state[3]]);
  }

  state(): RandomState {
    return [this.#s[0], this.#s[1], this.#s[2], this.#s[3]];
  }

  /** Uniform on 0 … 2³²−1. */
  uint32(): number {
    const s = this.#s;
    const x = Math.imul(s[1], 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    for (let i = 0; i < 4; i++) s[i] = s[i] >>> 0;
    return result;
  }

  /** Uniform on [0, 1), 53 bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Uniform integer on 0 … bound−1, without modulo bias. */
  below(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % bound;
    }
  }

  /** Standard normal, by Box–Muller; the second normal of a pair is dropped, so that the state stays four words. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  normals(count: number, scale = 1): Float32Array {
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.normal() * scale;
    return out;
  }

  /** A uniformly random permutation of 0 … count−1 (Fisher–Yates). */
  permutation(count: number): Uint32Array {
    const out = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const swap = out[i];
      out[i] = out[j];
      out[j] = swap;
    }
    return out;
  }
}
