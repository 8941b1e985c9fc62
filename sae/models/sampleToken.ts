/** Choosing the next token from logits: the largest, or drawn by temperature, top-k and nucleus (1904.09751). */
import type { Random } from '../numerics/random.ts';

export interface Sampling {
  /** 0 takes the largest logit. */
  temperature: number;
  /** Only the k largest stay. */
  topK?: number;
  /** Only the smallest set of largest tokens whose probability reaches this stays. */
  topP?: number;
}

export function sampleToken(
  logits: ArrayLike<number>,
  { temperature, topK, topP }: Sampling,
  random: Random,
): number {
  if (temperature === 0) return argMax(logits);
  let ids = Array.from({ length: logits.length }, (_, id) => id);
  const limited = topK !== undefined || topP !== undefined;
  if (limited) ids.sort((a, b) => logits[b] - logits[a] || a - b);
  if (topK !== undefined) ids = ids.slice(0, topK);
  const largest = limited ? logits[ids[0]] : logits[argMax(logits)];
  const weights = ids.map((id) => Math.exp((logits[id] - largest) / temperature));
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  let count = ids.length;
  if (topP !== undefined) {
    let reached = 0;
    count = 0;
    while (count < ids.length && (count === 0 || reached < topP * total)) reached += weights[count++];
    total = reached;
  }
  let left = random.uniform() * total;
  for (let i = 0; i < count; i++) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return ids[count - 1];
}

/** The first of the largest. */
function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
