/** Finds the k largest of a list of numbers, largest first, ties by lower place, in one scan without sorting the list. */
export class Largest {
  #places: Int32Array;
  #values: Float64Array;
  #count = 0;

  constructor(k: number) {
    this.#places = new Int32Array(k);
    this.#values = new Float64Array(k);
  }

  /** Places of the largest numbers found, largest first: k, or fewer when fewer were offered. Overwritten by the next search. */
  get places(): Int32Array {
    return this.#places.subarray(0, this.#count);
  }
  get values(): Float64Array {
    return this.#values.subarray(0, this.#count);
  }

  clear(): void {
    this.#count = 0;
  }

  /** Considers one number. Places must be offered in ascending order for ties to go to the lower one. */
  offer(value: number, place: number): void {
    const places = this.#places;
    const values = this.#values;
    let at = this.#count;
    if (at === values.length) {
      if (!(value > values[at - 1])) return;
      at--;
    } else this.#count++;
    while (at > 0 && values[at - 1] < value) {
      values[at] = values[at - 1];
      places[at] = places[at - 1];
      at--;
    }
    values[at] = value;
    places[at] = place;
  }

  /** Scans source[from … from + length − 1]; places count from 0. With `sign` −1 it finds the smallest numbers, and returns them negated. */
  scan(
    source: Float32Array,
    from: number,
    length: number,
    options: { sign?: 1 | -1; except?: number } = {},
  ): void {
    const { sign = 1, except = -1 } = options;
    this.clear();
    const values = this.#values;
    const last = values.length - 1;
    for (let i = 0; i < length; i++) {
      const value = sign * source[from + i];
      if (this.#count > last && !(value > values[last])) continue;
      if (i !== except) this.offer(value, i);
    }
  }
}
