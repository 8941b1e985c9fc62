/** What a path leads to, where a path may come from somebody else's file. */
import { statSync, type Stats } from 'node:fs';

/** Undefined where there is nothing; nothing is also where a name is longer than files have, or links lead round in a circle. */
export function fileStatus(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENAMETOOLONG' || error.code === 'ELOOP')) return undefined; // prettier-ignore
    throw error;
  }
}
