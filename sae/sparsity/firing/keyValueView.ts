/**
 * A neuron as a key and a value (A study on ReLU and Softmax in transformers, 2302.06461; METHODS.md §4): the key, which tokens
 * it fires on, is in neuronFiring.ts; the value is W_down[:, i]·W_U, the direct effect of its output on each token's logit.
 */
import { hostValues } from '../../tensor/hostValues.ts';
import type { Tensor2D } from '../../tensor/tf.ts';
import { StrongestTokens } from './strongestTokens.ts';

/** Logits in memory at once. */
const blockEntries = 1 << 22;

/**
 * The tokens whose logits a positive activation raises most, strongest first, for each neuron.
 * outputs [neurons, d], unembedding [d, vocab]; the caller disposes both.
 */
export function promotedTokens(outputs: Tensor2D, unembedding: Tensor2D, kept = 8): Int32Array[] {
  const [neurons, d] = outputs.shape;
  const vocab = unembedding.shape[1];
  const strongest = new StrongestTokens(neurons, kept);
  const blockRows = Math.max(1, Math.floor(blockEntries / vocab));
  for (let first = 0; first < neurons; first += blockRows) {
    const rows = Math.min(blockRows, neurons - first);
    const effects = hostValues(() => outputs.slice([first, 0], [rows, d]).matMul(unembedding));
    for (let i = 0, at = 0; i < rows; i++)
      for (let token = 0; token < vocab; token++, at++)
        if (effects[at] > strongest.bar[first + i]) strongest.offer(first + i, token, effects[at]);
  }
  return Array.from({ length: neurons }, (_, i) => strongest.of(i));
}
