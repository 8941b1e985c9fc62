/**
 * Which contexts of a text are held out when training reads the rest from a model. They are a random sample of the first
 * contexts, the same each time. Of a text that has no more than those, they are the ones that a capture holds out.
 */
import { Random } from '../numerics/random.ts';

/** The numbers of the contexts that are held out, in the order in which they are kept. */
export function heldOutContexts(of: number, count: number): Uint32Array {
  // As `shuffleContexts` of sae/tokens/packTokens.ts orders them; a capture holds out the last.
  return Random.fromSeed(0, 'contexts')
    .permutation(of)
    .slice(of - count);
}

/** The held-out ones of `tokens` [contexts × contextLength], in their order. */
export function gatherContexts(tokens: Int32Array, contextLength: number, numbers: Uint32Array): Int32Array {
  const gathered = new Int32Array(numbers.length * contextLength);
  numbers.forEach((number, i) =>
    gathered.set(tokens.subarray(number * contextLength, (number + 1) * contextLength), i * contextLength),
  );
  return gathered;
}
