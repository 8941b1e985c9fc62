/** For each owner (a neuron), the few token ids with the highest scores, collected in one pass. Memory is owners × kept. */
export class StrongestTokens {
  readonly #kept: number;
  readonly #tokens: Int32Array;
  readonly #scores: Float64Array;
  /** [owners]: a new score must be above it to be kept. Callers compare with it first, to save the call. */
  readonly bar: Float64Array;

  constructor(owners: number, kept: number) {
    this.#kept = kept;
    this.#tokens = new Int32Array(owners * kept).fill(-1);
    this.#scores = new Float64Array(owners * kept).fill(-Infinity);
    this.bar = new Float64Array(owners).fill(-Infinity);
  }

  /** Offers a score. A token is listed once, with its best score; of equal scores the earlier one stays in front. */
  offer(owner: number, token: number, score: number): void {
    if (!(score > this.bar[owner])) return;
    const tokens = this.#tokens;
    const scores = this.#scores;
    const base = owner * this.#kept;
    const last = base + this.#kept - 1;
    // The new entry replaces the token's old one, or the last one, and moves up from there.
    let at = base;
    while (at < last && tokens[at] !== token) at++;
    if (tokens[at] === token && scores[at] >= score) return;
    while (at > base && scores[at - 1] < score) {
      tokens[at] = tokens[at - 1];
      scores[at] = scores[at - 1];
      at--;
    }
    tokens[at] = token;
    scores[at] = score;
    this.bar[owner] = scores[last];
  }

  /** The highest score of an owner; undefined when it was offered none. */
  bestScore(owner: number): number | undefined {
    const base = owner * this.#kept;
    return this.#tokens[base] < 0 ? undefined : this.#scores[base];
  }

  /** Token ids of an owner, highest score first; fewer than `kept` when fewer were offered. */
  of(owner: number): Int32Array {
    const base = owner * this.#kept;
    let count = 0;
    while (count < this.#kept && this.#tokens[base + count] >= 0) count++;
    return this.#tokens.slice(base, base + count);
  }
}
