/** The few token ids that go with the highest scores, kept while scores stream by: memory is owners × kept. */
export class StrongestTokens {
  readonly #kept: number;
  readonly #tokens: Int32Array;
  readonly #scores: Float64Array;
  /** The score a newcomer must beat, by owner: callers in a hurry look here before they call. */
  readonly bar: Float64Array;

  constructor(owners: number, kept: number) {
    this.#kept = kept;
    this.#tokens = new Int32Array(owners * kept).fill(-1);
    this.#scores = new Float64Array(owners * kept).fill(-Infinity);
    this.bar = new Float64Array(owners).fill(-Infinity);
  }

  /** A token counts once, with its best score; among equals the one that came first stays. */
  offer(owner: number, token: number, score: number): void {
    if (!(score > this.bar[owner])) return;
    const tokens = this.#tokens;
    const scores = this.#scores;
    const base = owner * this.#kept;
    const last = base + this.#kept - 1;
    // The token's old place, or the last one, is where the newcomer's entry is taken out and moved up from.
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

  /** Undefined when nothing was offered. */
  bestScore(owner: number): number | undefined {
    const base = owner * this.#kept;
    return this.#tokens[base] < 0 ? undefined : this.#scores[base];
  }

  /** Strongest first; shorter than `kept` when fewer were offered. */
  of(owner: number): Int32Array {
    const base = owner * this.#kept;
    let count = 0;
    while (count < this.#kept && this.#tokens[base + count] >= 0) count++;
    return this.#tokens.slice(base, base + count);
  }
}
