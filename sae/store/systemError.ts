/** Faults of a disk that no writer or reader foresaw, wherever in the product they come up. */
import { LazyscopeError } from '../errors.ts';
import { explainWriteError } from './explainWriteError.ts';

const reading = new Set(['access', 'lstat', 'read', 'readlink', 'realpath', 'scandir', 'stat', 'opendir']);

/**
 * What the operating system said of a disk that is full, of a missing permission or of too many open files, as one of the product's
 * errors; undefined for any other error, which is a fault of ours.
 */
export function systemError(error: unknown): LazyscopeError | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined;
  const make = (code: 'bad_input' | 'unavailable', message: string) =>
    new LazyscopeError(code, message, { cause: error });
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      if (path === undefined) return undefined;
      if (reading.has(String(error.syscall)))
        return make('bad_input', `No permission to read '${path}': choose one that you may read.`);
      if (error.syscall === 'open')
        return make('bad_input', `No permission to open '${path}': choose one that you may read and write.`);
      break;
    case 'EROFS':
    case 'ENOSPC':
    case 'EDQUOT':
      break;
    case 'EMFILE':
    case 'ENFILE':
      return make(
        'unavailable',
        `Too many files are open at once: raise the limit ('ulimit -n 4096'), then try again.`,
      );
    default:
      return undefined;
  }
  const explained = explainWriteError(error, path ?? 'its files');
  return explained instanceof LazyscopeError ? explained : undefined;
}
