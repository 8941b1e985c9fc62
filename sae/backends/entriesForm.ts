/** Whether what fires is kept as a list or as the whole matrix, for backends whose device computes asynchronously. */
import type { Entries, Listed } from '../ops/sparseEntries.ts';
import type { EncoderPath } from './backend.ts';

/** Which form is taken. Set by whoever starts the backend, between steps. */
export interface PathChoice {
  path: EncoderPath;
}

/** A form, and the counts of entries for which it is the right one; a list has room for `most`. */
export interface EntriesForm extends Omit<Listed, 'count'> {
  readonly kind: Entries['kind'];
}

/** If the expected count is at least this factor away from the limit between list and matrix, the form is chosen without waiting. */
const certain = 2;

/** Room for about this many entries. Sizes are rounded up to powers of 2, so that buffers can be reused. */
export function ampleRoom(rows: number, expected: number): number {
  return 2 ** Math.ceil(Math.log2(2 * expected + rows));
}

/**
 * The form for about `expected` entries of `all`, of which up to `limit` are kept as a list and `room` have room in one; null where the
 * count is too near the limit to decide.
 */
export function guessedForm({
  all,
  limit,
  room,
  expected,
  fits = true,
}: {
  all: number;
  limit: number;
  room: number;
  expected: number;
  /** Whether the device can hold the matrix. */
  fits?: boolean;
}): EntriesForm | null {
  if (expected > certain * limit && fits) return { kind: 'dense', least: limit + 1, most: all };
  const most = Math.min(limit, room);
  return certain * expected <= most ? { kind: 'sparse', least: 0, most } : null;
}
