/** Scores that differ by less than this count as equal. */
export const tie = 2 ** -20;

/**
 * For each owner, the `kept` best of the scores offered, best first; −1 in places that are still empty.
 *
 * Equal scores are ordered by a hash of owner and index: were it by index alone, a hundred identical latents would
 * all keep the same few of a hundred identical counterparts, and most would find no match among them. The order is
 * total, so the result does not depend on the order of the offers.
 */
export class TopScores {
  readonly kept: number;
  readonly index: Int32Array; // [owners, kept]
  readonly score: Float32Array; // [owners, kept]
  /** [owners]: only a score above it can enter the list. No score that was refused exceeds bar + 2 · tie. */
  readonly bar: Float32Array;

  constructor(owners: number, kept: number) {
    this.kept = kept;
    this.index = new Int32Array(owners * kept).fill(-1);
    this.score = new Float32Array(owners * kept).fill(-Infinity);
    this.bar = new Float32Array(owners).fill(-Infinity);
  }

  /** Inserts a score, which must be above the owner's bar. */
  insert(owner: number, index: number, score: number): void {
    const base = owner * this.kept;
    const last = base + this.kept - 1;
    if (!this.#before(owner, index, score, last)) return;
    let at = last;
    while (at > base && this.#before(owner, index, score, at - 1)) {
      this.score[at] = this.score[at - 1];
      this.index[at] = this.index[at - 1];
      at--;
    }
    this.score[at] = score;
    this.index[at] = index;
    this.bar[owner] = this.score[last] - tie;
  }

  /** Whether a new entry goes before the one at `place`. Scores are rounded to multiples of `tie`, so that the order is total. */
  #before(owner: number, index: number, score: number, place: number): boolean {
    const there = this.index[place];
    if (there < 0) return true;
    const difference = Math.round(score / tie) - Math.round(this.score[place] / tie);
    if (difference !== 0) return difference > 0;
    return scatter(owner, index) < scatter(owner, there);
  }
}

function scatter(owner: number, index: number): number {
  let h = Math.imul(owner, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
