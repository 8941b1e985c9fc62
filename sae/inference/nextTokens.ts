/** Distributions of the next token, from logits. */

export interface NextToken {
  id: number;
  probability: number;
}

/** log Σ exp of the logits, in double precision. */
export function logSumExp(logits: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - largest);
  return largest + Math.log(sum);
}

/** The likeliest tokens among the first `vocabulary`, the likeliest first, ties by lower id. */
export function likeliest(logits: Float32Array, vocabulary: number, count: number): NextToken[] {
  const total = logSumExp(logits);
  return placesOfLargest(logits, Math.min(vocabulary, logits.length), count).map((id) => ({
    id,
    probability: Math.exp(logits[id] - total),
  }));
}

/** Places of the largest of the first `length` values, largest first, ties by lower place. */
export function placesOfLargest(values: ArrayLike<number>, length: number, count: number): number[] {
  const places: number[] = [];
  for (let i = 0; i < length; i++) {
    if (places.length === count && !(values[i] > values[places[count - 1]])) continue;
    let at = Math.min(places.length, count - 1);
    while (at > 0 && values[places[at - 1]] < values[i]) {
      places[at] = places[at - 1];
      at--;
    }
    places[at] = i;
  }
  return places;
}

/** KL(p ‖ q) in nats of the two distributions. */
export function klDivergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [totalP, totalQ] = [logSumExp(p), logSumExp(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const logP = p[i] - totalP;
    sum += Math.exp(logP) * (logP - (q[i] - totalQ));
  }
  // Rounding may leave a hair below 0.
  return Math.max(0, sum);
}
