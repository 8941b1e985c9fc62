import { Random } from '../numerics/random.ts';

/**
 * Chooses a share of things that come by one at a time, without knowing how many there will be: one at random out of each 1/share
 * of them, the same ones every time.
 */
export class Stratified {
  #share: number;
  #random = Random.fromSeed(0, 'contexts');
  #seen = 0;
  /** The group ends before this number, and this one of it is chosen. */
  #groups = 0;
  #end = 0;
  #chosen = -1;

  /** `share` is at least 0 and below 1. */
  constructor(share: number) {
    this.#share = share;
  }

  /** Whether the next one is chosen. */
  next(): boolean {
    if (this.#share === 0) return false;
    const number = this.#seen++;
    if (number === this.#end) {
      this.#end = Math.ceil(++this.#groups / this.#share);
      this.#chosen = number + Math.floor(this.#random.uniform() * (this.#end - number));
    }
    return number === this.#chosen;
  }
}
