/** Opens a file that somebody else may have put there: a folder, or a pipe that nobody writes to, is refused instead of waited for. */
import { fstatSync, openSync, statSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';

/** The caller closes `fd`. Throws `not_found`, or `bad_input` for what is no file. */
export function openFile(path: string): { fd: number; size: number } {
  let isFile: boolean;
  let fd: number;
  try {
    // Before it is opened: opening a pipe waits for its writer.
    isFile = statSync(path).isFile();
    fd = isFile ? openSync(path, 'r') : -1;
  } catch (error) {
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the path.`, { cause: error });
  }
  if (!isFile) throw new LazyscopeError('bad_input', `'${path}' is not a file: check the path.`);
  return { fd, size: fstatSync(fd).size };
}
