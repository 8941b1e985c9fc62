import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import koffi from 'koffi';

/**
 * Runs `load` with standard error closed to the libraries that it loads: TensorFlow prints a notice about oneDNN while it is loaded, before it reads
 * which messages are wanted. What `load` throws is thrown.
 */
export function withoutMessages<T>(load: () => T): T {
  const library = koffi.load(null);
  const dup = library.func('int dup(int)') as (from: number) => number;
  const dup2 = library.func('int dup2(int, int)') as (from: number, to: number) => number;
  const kept = dup(2);
  const nowhere = openSync(devNull, 'w');
  dup2(nowhere, 2);
  try {
    return load();
  } finally {
    dup2(kept, 2);
    closeSync(nowhere);
    closeSync(kept);
  }
}
