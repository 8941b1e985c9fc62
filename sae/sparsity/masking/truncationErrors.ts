/**
 * How much of an MLP's output is lost as its weakest contributions are masked one after the other (METHODS.md §4). For each token the
 * neurons are added up from the weakest contribution |a_i|·n_i to the strongest; the norm of the sum after j of them is what masking
 * those j loses. The losses of all tokens are then put in the order of the contributions.
 */
import { truncationLosses } from '../../ops/truncationLosses.ts';
import { tf } from '../../tensor/tf.ts';

export interface TruncationErrors {
  /** [tokens · neurons]: all contributions, ascending. */
  contributions: Float32Array;
  /**
   * [tokens · neurons]: the mean over tokens of ‖lost output‖ / ‖output‖ when this contribution and all before it are masked. Tokens
   * whose output is zero are left out; 0 where there are no others.
   */
  errors: Float32Array;
}

/** activations a [tokens, neurons]; outputs [neurons, d]; norms [neurons] of the latter's rows. Sums are in double precision. */
export function truncationErrors(
  activations: Float32Array,
  outputs: Float32Array,
  norms: Float64Array,
): TruncationErrors {
  const neurons = norms.length;
  const d = outputs.length / neurons;
  const tokens = activations.length / neurons;
  const contributions = activations.map((a, at) => Math.abs(a) * norms[at % neurons]);
  const bits = new Int32Array(contributions.buffer);
  const order = new Int32Array(activations.length);
  const keys = new Float64Array(neurons);
  for (let first = 0; first < activations.length; first += neurons) {
    // The bits of a positive number order as integers do: with the index below them, one sort of numbers sorts the neurons.
    for (let i = 0; i < neurons; i++) keys[i] = bits[first + i] * neurons + i;
    keys.sort();
    // The remainder by a division, which takes a fraction of the time of the operator on numbers beyond 32 bits and is exact too.
    for (let rank = 0; rank < neurons; rank++)
      order[first + rank] = keys[rank] - neurons * Math.floor(keys[rank] / neurons);
  }
  // By token, what is lost after each of its neurons, the weakest first; below, as a share of the token's output.
  const lost = Float64Array.from(losses(activations, outputs, order, { tokens, neurons, d }));
  let counted = 0;
  for (let first = 0; first < activations.length; first += neurons) {
    const norm = lost[first + neurons - 1];
    if (norm === 0) continue;
    counted++;
    for (let at = first; at < first + neurons; at++) lost[at] /= norm;
  }
  // Within a token the ranks ascend with the contributions, so a sort by contribution and token leaves them in order.
  const all = Float64Array.from(bits, (value, at) => value * tokens + Math.floor(at / neurons)).sort();
  const reached = new Int32Array(tokens);
  const errors = new Float32Array(all.length);
  let total = 0;
  for (let at = 0; at < all.length; at++) {
    const contribution = Math.floor(all[at] / tokens);
    const token = all[at] - tokens * contribution;
    const rank = token * neurons + reached[token];
    total += lost[rank] - (reached[token] === 0 ? 0 : lost[rank - 1]);
    reached[token]++;
    errors[at] = counted === 0 ? 0 : total / counted;
    bits[at] = contribution;
  }
  return { contributions, errors };
}

function losses(
  activations: Float32Array,
  outputs: Float32Array,
  order: Int32Array,
  { tokens, neurons, d }: { tokens: number; neurons: number; d: number },
): Float32Array {
  const a = tf.tensor2d(activations, [tokens, neurons]);
  const rows = tf.tensor2d(outputs, [neurons, d]);
  const ranks = tf.tensor2d(order, [tokens, neurons], 'int32');
  try {
    return truncationLosses(a, rows, ranks);
  } finally {
    tf.dispose([a, rows, ranks]);
  }
}
