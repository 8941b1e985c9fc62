/**
 * How much of an MLP's output is lost as its weakest contributions are masked one after the other (METHODS.md §4). For each token the
 * neurons are added up from the weakest contribution |a_i|·n_i to the strongest; the norm of the sum after j of them is what masking
 * those j loses. The losses of all tokens are then put in the order of the contributions.
 */
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
  // By token, what is lost after each of its neurons, the weakest first, as a share of the token's output.
  const lost = new Float64Array(activations.length);
  const order = new Float64Array(neurons);
  const sum = new Float64Array(d);
  let counted = 0;
  for (let first = 0; first < activations.length; first += neurons) {
    // The bits of a positive number order as integers do: with the index below them, one sort of numbers sorts the neurons.
    for (let i = 0; i < neurons; i++) order[i] = bits[first + i] * neurons + i;
    order.sort();
    sum.fill(0);
    let norm = 0;
    for (let rank = 0; rank < neurons; rank++) {
      const neuron = order[rank] % neurons;
      const a = activations[first + neuron];
      if (a !== 0) norm = Math.sqrt(addRow(sum, outputs, neuron * d, a));
      lost[first + rank] = norm;
    }
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
    const token = all[at] % tokens;
    const rank = token * neurons + reached[token];
    total += lost[rank] - (reached[token] === 0 ? 0 : lost[rank - 1]);
    reached[token]++;
    errors[at] = counted === 0 ? 0 : total / counted;
    bits[at] = (all[at] - token) / tokens;
  }
  return { contributions, errors };
}

/** sum += a · the row of `rows` that starts at `from`; returns the sum's squared norm. */
function addRow(sum: Float64Array, rows: Float32Array, from: number, a: number): number {
  let [even, odd] = [0, 0];
  let k = 0;
  for (; k + 1 < sum.length; k += 2) {
    const x = sum[k] + a * rows[from + k];
    const y = sum[k + 1] + a * rows[from + k + 1];
    sum[k] = x;
    sum[k + 1] = y;
    even += x * x;
    odd += y * y;
  }
  if (k < sum.length) {
    sum[k] += a * rows[from + k];
    even += sum[k] * sum[k];
  }
  return even + odd;
}
