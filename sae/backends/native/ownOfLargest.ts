import type { Candidates, EntryList } from '../../ops/candidates.ts';
import type { NativeLibrary } from './library.ts';
import { writable } from './pointers.ts';

/** The native kernel that chooses what of a process's candidates is among the largest of all processes (see `FusedKernels`). */
export function ownOfLargestBy({ functions: call }: Pick<NativeLibrary, 'functions'>) {
  return (own: EntryList, { all, rank, k, each }: Candidates): EntryList | undefined => {
    const rows = own.rowStart.length - 1;
    const rowStart = new Int32Array(rows + 1);
    const indices = new Int32Array(own.indices.length);
    const values = new Float32Array(own.values.length);
    const ranks = all.length / (rows * each);
    const count = call.ownOfLargest(
      { rowStart: own.rowStart, indices: own.indices, all, rows, each, ranks, rank, k },
      writable(rowStart),
      writable(indices),
      writable(values),
    );
    if (count < 0) return undefined;
    return { rowStart, indices: indices.subarray(0, count), values: values.subarray(0, count) };
  };
}
