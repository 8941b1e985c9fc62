import { LazyscopeError } from '../errors.ts';

/** What the operating system or DuckDB said about a failed write, as one of the product's errors. */
export function explainWriteError(error: unknown, path: string): unknown {
  if (error instanceof LazyscopeError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const said = error instanceof Error ? error.message : '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || /no space left on device/i.test(said))
    return new LazyscopeError(
      'no_space',
      `The disk is full while writing '${path}': free some space or choose another data folder, then run it again.`,
      { cause: error },
    );
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new LazyscopeError(
      'bad_input',
      `No permission to write '${path}': choose a data folder you own.`,
      {
        cause: error,
      },
    );
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'EEXIST')
    return new LazyscopeError('bad_input', `'${path}' can't be written: a file or folder is in its way.`, {
      cause: error,
    });
  return error;
}
