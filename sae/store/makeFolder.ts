/**
 * The one way to make a folder with those above it. Node's `mkdir` with `recursive` never comes back where the system says of a name in a folder
 * that is there that it doesn't exist, as Linux does in `/proc`: Node makes the folder above again and again.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { explainWriteError } from './explainWriteError.ts';

const reasons = new Map([
  ['ENOENT', 'the file system takes no new names there'],
  ['ENOTDIR', 'a file, or a link to nothing, is in its way'],
  ['EEXIST', 'a file, or a link to nothing, is in its way'],
  ['EACCES', 'no permission'],
  ['EPERM', 'no permission'],
  ['EROFS', 'the disk can only be read'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ELOOP', 'links lead in a circle there'],
  ['EINVAL', 'the file system refuses its name'],
]);

/**
 * Makes the folder where it isn't there, and returns the uppermost folder that had to be made, undefined where there was none. Throws 'bad_input',
 * whose sentence ends with the remedy, where the folder can't be made, 'no_space' on a full disk.
 */
export function makeFolder(folder: string, remedy = 'choose another'): string | undefined {
  return make(resolve(folder), remedy);
}

function make(folder: string, remedy: string): string | undefined {
  if (isFolder(folder)) return undefined;
  const above = dirname(folder);
  const uppermost = above === folder ? undefined : make(above, remedy);
  try {
    mkdirSync(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Another process was first.
    if (code === 'EEXIST' && isFolder(folder)) return uppermost;
    const reason = reasons.get(code);
    if (reason === undefined) throw explainWriteError(error, folder);
    throw new LazyscopeError('bad_input', `The folder '${folder}' can't be made (${reason}): ${remedy}.`, {
      cause: error,
    });
  }
  return uppermost ?? folder;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whatever hinders looking hinders making too, which says so.
    return false;
  }
}
