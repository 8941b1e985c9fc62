/**
 * Space folding (The Space Between: On Folding, Symmetries and Sampling; METHODS.md §4): along the straight line between two
 * inputs the activation pattern changes; if the network folds space, the pattern comes back towards where it
 * started. χ = 1 − max_i d_H(π_1, π_i) / Σ_i d_H(π_i, π_{i+1}), d_H the Hamming distance.
 */
import { LazyscopeError } from '../../errors.ts';

/** Which neurons are active: a bit each, 32 to a word, so that comparing patterns takes a thirty-second of the steps. */
export interface ActivationPattern {
  readonly neurons: number;
  /** [ceil(neurons / 32)] */
  readonly words: Uint32Array;
}

/** χ of the patterns along a path, in order. In [0, 1): 0 when no neuron switches back, or none switches at all. Throws 'bad_input' for fewer than two. */
export function spaceFolding(patterns: readonly ActivationPattern[]): number {
  if (patterns.length < 2)
    throw new LazyscopeError(
      'bad_input',
      `Folding is measured along two points or more, but got ${patterns.length}.`,
    );
  let walked = 0;
  let farthest = 0;
  for (let i = 1; i < patterns.length; i++) {
    walked += hammingDistance(patterns[i - 1], patterns[i]);
    farthest = Math.max(farthest, hammingDistance(patterns[0], patterns[i]));
  }
  return walked === 0 ? 0 : 1 - farthest / walked;
}

export function hammingDistance(a: ActivationPattern, b: ActivationPattern): number {
  if (a.neurons !== b.neurons)
    throw new LazyscopeError(
      'bad_input',
      `Patterns of ${a.neurons} and ${b.neurons} neurons have no distance.`,
    );
  let distance = 0;
  for (let i = 0; i < a.words.length; i++) distance += bitsIn(a.words[i] ^ b.words[i]);
  return distance;
}

/** How many bits of a word are set, added up in pairs, fours and eights side by side. */
function bitsIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The pattern of the given pre-activations: active where they are above 0. */
export function activationPattern(preActivations: ArrayLike<number>): ActivationPattern {
  const neurons = preActivations.length;
  const words = new Uint32Array(Math.ceil(neurons / 32));
  for (let w = 0; w < words.length; w++) {
    const last = Math.min(32 * (w + 1), neurons);
    let word = 0;
    for (let at = 32 * w; at < last; at++) if (preActivations[at] > 0) word |= 1 << at;
    words[w] = word;
  }
  return { neurons, words };
}

/** Equally spaced points from `from` to `to`, both included: [points, d]. */
export function straightPath(from: Float32Array, to: Float32Array, points: number): Float32Array[] {
  return Array.from({ length: points }, (_, p) => {
    const t = p / (points - 1);
    return from.map((x, k) => x + (to[k] - x) * t);
  });
}
