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
  // Blocks of tokens, not of neurons: a product packs the whole of its second factor, and the unembedding is the larger one.
  const blockTokens = Math.max(1, Math.floor(blockEntries / neurons));
  for (let first = 0; first < vocab; first += blockTokens) {
    const tokens = Math.min(blockTokens, vocab - first);
    const effects = hostValues(() => outputs.matMul(unembedding.slice([0, first], [d, tokens])));
    for (let i = 0, at = 0; i < neurons; i++) {
      let bar = strongest.bar[i];
      for (let token = first; token < first + tokens; token++, at++) {
        if (!(effects[at] > bar)) continue;
        strongest.offer(i, token, effects[at]);
        bar = strongest.bar[i];
      }
    }
  }
  return Array.from({ length: neurons }, (_, i) => strongest.of(i));
}
