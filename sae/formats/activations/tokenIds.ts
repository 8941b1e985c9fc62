import { LazyscopeError } from '../../errors.ts';

/** Whole numbers as token ids. Throws `bad_input` for one that can't be an id. */
export function tokenIds(values: ArrayLike<number>, path: string, column: string): Int32Array {
  const ids = Int32Array.from(values);
  for (let i = 0; i < ids.length; i++)
    if (ids[i] !== values[i] || ids[i] < 0)
      throw new LazyscopeError(
        'bad_input',
        `Column '${column}' of '${path}' has the number ${values[i]}, which is no token id: save ids from 0 on.`,
      );
  return ids;
}
