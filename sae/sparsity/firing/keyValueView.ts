/**
 * A neuron as a key and a value (A study on ReLU and Softmax in transformers, 2302.06461; METHODS.md §4): the key, which tokens
 * it fires on, is in neuronFiring.ts; the value is W_down[:, i]·W_U, the direct effect of its output on each token's logit.
 */
import { fusedKernels } from '../../ops/kernelTable.ts';
import { disposeEntries } from '../../ops/sparseEntries.ts';
import { hostValues } from '../../tensor/hostValues.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { StrongestTokens } from './strongestTokens.ts';

/** Logits in memory at once, where the kernel that chooses among them writes all of them down. */
const blockEntries = 1 << 22;

/**
 * The tokens whose logits a positive activation raises most, strongest first, for each neuron.
 * outputs [neurons, d], unembedding [vocab, d], a row for each token; the caller disposes both.
 */
export function promotedTokens(outputs: Tensor2D, unembedding: Tensor2D, kept = 8): Int32Array[] {
  const [neurons] = outputs.shape;
  const [vocab] = unembedding.shape;
  const rowsAtOnce =
    fusedKernels().backend === 'reference' ? Math.max(1, Math.floor(blockEntries / vocab)) : neurons;
  const noBias: Tensor1D = tf.zeros([vocab]);
  const promoted: Int32Array[] = [];
  for (let first = 0; first < neurons; first += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, neurons - first);
    const block = outputs.slice([first, 0], [rows, -1]);
    promoted.push(...strongestOf(block, unembedding, noBias, Math.min(kept, vocab)));
    block.dispose();
  }
  noBias.dispose();
  return promoted;
}

/** It is the choice that a TopK encoder makes among its latents, except that effects may be negative. */
function strongestOf(outputs: Tensor2D, unembedding: Tensor2D, noBias: Tensor1D, kept: number): Int32Array[] {
  const encoder = { wEnc: unembedding, bEnc: noBias, centre: null };
  const entries = fusedKernels().topKEncode(outputs, encoder, kept);
  const [indices, values] = [entries.indices.dataSync<'int32'>(), entries.values.dataSync<'float32'>()];
  const promoted = Array.from({ length: outputs.shape[0] }, (_, neuron) => {
    const places = Array.from({ length: kept }, (_, j) => neuron * kept + j);
    // The encoder lists positive values alone.
    if (places.some((at) => !(values[at] > 0))) return strongestOfRow(outputs, unembedding, neuron, kept);
    places.sort((x, y) => values[y] - values[x] || x - y);
    return Int32Array.from(places, (at) => indices[at]);
  });
  disposeEntries(entries);
  return promoted;
}

function strongestOfRow(outputs: Tensor2D, unembedding: Tensor2D, neuron: number, kept: number): Int32Array {
  const strongest = new StrongestTokens(1, kept);
  const effects = hostValues(() => tf.matMul(outputs.slice([neuron, 0], [1, -1]), unembedding, false, true));
  effects.forEach((effect, token) => strongest.offer(0, token, effect));
  return strongest.of(0);
}
