/**
 * Space folding (The Space Between: On Folding, Symmetries and Sampling; METHODS.md §4): along the straight line between two
 * inputs the activation pattern changes; if the network folds space, the pattern comes back towards where it
 * started. χ = 1 − max_i d_H(π_1, π_i) / Σ_i d_H(π_i, π_{i+1}), d_H the Hamming distance.
 */
import { LazyscopeError } from '../../errors.ts';

/** [neurons]: 1 where the neuron is active, 0 elsewhere. */
export type ActivationPattern = Uint8Array;

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
  if (a.length !== b.length)
    throw new LazyscopeError(
      'bad_input',
      `Patterns of ${a.length} and ${b.length} neurons have no distance.`,
    );
  let distance = 0;
  for (let i = 0; i < a.length; i++) if ((a[i] === 0) !== (b[i] === 0)) distance++;
  return distance;
}

/** The pattern of the given pre-activations: 1 where they are above 0. */
export function activationPattern(preActivations: ArrayLike<number>): ActivationPattern {
  const pattern = new Uint8Array(preActivations.length);
  for (let i = 0; i < pattern.length; i++) pattern[i] = preActivations[i] > 0 ? 1 : 0;
  return pattern;
}

/** Equally spaced points from `from` to `to`, both included: [points, d]. */
export function straightPath(from: Float32Array, to: Float32Array, points: number): Float32Array[] {
  return Array.from({ length: points }, (_, p) => {
    const t = p / (points - 1);
    return from.map((x, k) => x + (to[k] - x) * t);
  });
}
