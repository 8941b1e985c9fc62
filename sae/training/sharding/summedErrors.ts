/** The error of a reconstruction to which each of several processes adds a part. */
import { type Communicator, sumOfNumbers } from './communicator.ts';

export interface SummedError {
  /** The sum of all parts + bias − target [rows × d]. */
  readonly error: Float32Array;
  /** Σ error², in double precision. */
  readonly squaredError: number;
}

/**
 * Rows are dealt out: each process adds up those of its own over the parts of all, in the order of the ranks, finishes them, and sends
 * them to all. So every process gets the same bits, a repetition does too, and what is done to each row is done once. Its
 * memory is used again by every call.
 */
export class SummedErrors {
  readonly #communicator: Communicator;
  #padded = new Float32Array(0);
  #parts = new Float32Array(0);

  constructor(communicator: Communicator) {
    this.#communicator = communicator;
  }

  /** `part` [rows × d] is what this process's latents add, `target` [rows × d] and `bias` [d] are the same in all. */
  of(part: Float32Array, target: Float32Array, bias: Float32Array | null, rows: number): SummedError {
    const { rank, size } = this.#communicator;
    const d = part.length / rows;
    const most = Math.ceil(rows / size);
    const length = most * d;
    if (this.#parts.length !== size * length) this.#parts = new Float32Array(size * length);
    this.#communicator.allToAll(this.#inEqualParts(part, size * length), this.#parts);
    const own = this.#parts.subarray(0, length);
    for (let r = 1; r < size; r++) {
      const next = this.#parts.subarray(r * length, (r + 1) * length);
      for (let i = 0; i < length; i++) own[i] += next[i];
    }
    const begin = rank * most;
    const end = Math.max(begin, Math.min(rows, begin + most));
    const squares = subtracted(own.subarray(0, (end - begin) * d), target.subarray(begin * d), bias, d);
    const error = new Float32Array(size * length);
    this.#communicator.allGather(own, error);
    return {
      error: error.subarray(0, part.length),
      squaredError: sumOfNumbers(this.#communicator, squares),
    };
  }

  /** All processes send as much, whether rows are left for it or not. */
  #inEqualParts(part: Float32Array, length: number): Float32Array {
    if (part.length === length) return part;
    if (this.#padded.length !== length) this.#padded = new Float32Array(length);
    this.#padded.set(part);
    return this.#padded;
  }
}

/** Adds the bias to rows of d, subtracts the target, and returns the sum of squares of what is then left. */
function subtracted(sums: Float32Array, target: Float32Array, bias: Float32Array | null, d: number): number {
  let squares = 0;
  for (let from = 0; from < sums.length; from += d)
    for (let i = 0; i < d; i++) {
      const error = sums[from + i] + (bias ? bias[i] : 0) - target[from + i];
      sums[from + i] = error;
      squares += sums[from + i] ** 2;
    }
  return squares;
}
