/**
 * Processes that train one dictionary together, each holding a share of its latents. All of them make the same calls in the
 * same order; a call returns when the others' part of it has arrived.
 */
import type { ProcessGroup } from '../../ops/processGroup.ts';

/** What a process needs of the others. Every call but `abort`, `atEnd` and `finish` is made by all of them. */
export interface Communicator extends ProcessGroup {
  /** Bytes that other processes have sent to this one so far. */
  readonly received: number;
  /** `send` is cut into `size` equal parts, one for each process; `into`, of the same length, gets this one's part of each process's, by rank. */
  allToAll(send: ArrayBufferView, into: ArrayBufferView): void;
  /** Process 0 fills `all` with the `own` of all processes, one after another; those of different ranks may differ in length. */
  gather(own: Float32Array, all: Float32Array | null, lengths: readonly number[]): void;
  /** The reverse: each process gets its part of process 0's `all` in `own`. */
  scatter(all: Float32Array | null, own: Float32Array, lengths: readonly number[]): void;
  /** Ends all processes at once, with this exit status. */
  abort(status: number): never;
  /** Says goodbye; no other call may follow. */
  finish(): void;
}

/** Elements of a vector that are summed at once, so that a message's length in bytes fits 32 bits whatever the number of processes. */
const summedAtOnce = 2 ** 26;

/**
 * Adds up the vectors of all processes, in place. Every sum is made by one process, in the order of the ranks, so that all
 * get the same bits and a repetition does too. Each process receives 2·(size − 1)/size times the vector.
 */
export function sumInPlace(communicator: Communicator, values: Float32Array): void {
  const { size } = communicator;
  if (size === 1) return;
  for (let from = 0; from < values.length; from += summedAtOnce)
    sumPart(communicator, values.subarray(from, from + summedAtOnce));
}

function sumPart(communicator: Communicator, values: Float32Array): void {
  const { size } = communicator;
  const part = Math.ceil(values.length / size);
  const padded = new Float32Array(part * size);
  padded.set(values);
  const parts = new Float32Array(part * size);
  communicator.allToAll(padded, parts);
  const sum = parts.slice(0, part);
  for (let rank = 1; rank < size; rank++) {
    const next = parts.subarray(rank * part, (rank + 1) * part);
    for (let i = 0; i < part; i++) sum[i] += next[i];
  }
  communicator.allGather(sum, padded);
  values.set(padded.subarray(0, values.length));
}

/** The sum of a number of each process, in the order of the ranks. */
export function sumOfNumbers(communicator: Communicator, value: number): number {
  const all = new Float64Array(communicator.size);
  communicator.allGather(Float64Array.of(value), all);
  return all.reduce((sum, each) => sum + each, 0);
}

/** The least that any process has at each place. */
export function leastOfAll(communicator: Communicator, own: Float32Array): Float32Array {
  const { size } = communicator;
  const all = new Float32Array(size * own.length);
  communicator.allGather(own, all);
  return own.map((_, i) => {
    let least = all[i];
    for (let rank = 1; rank < size; rank++) least = Math.min(least, all[rank * own.length + i]);
    return least;
  });
}
