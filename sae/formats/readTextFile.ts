/** Texts of files that somebody else may have put there, whole, within a budget of bytes. */
import { closeSync, readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { LazyscopeError } from '../errors.ts';
import { openFile } from './openFile.ts';

/** Throws `not_found`, `bad_input` for what is no file (a pipe would be waited for), and `corrupt` for one of more than `mostBytes`. */
export async function readTextFile(path: string, mostBytes: number): Promise<string> {
  const unreadable = (cause: unknown) =>
    new LazyscopeError('not_found', `'${path}' can't be read: check the name and the data folder.`, {
      cause,
    });
  const status = await stat(path).catch((cause: unknown) => Promise.reject(unreadable(cause)));
  if (!status.isFile())
    throw new LazyscopeError('bad_input', `'${path}' is not a file: check the name and the data folder.`);
  if (status.size > mostBytes) throw exceeds(path, status.size, mostBytes);
  return readFile(path, 'utf8').catch((cause: unknown) => Promise.reject(unreadable(cause)));
}

/** The same, at once. */
export function readTextFileSync(path: string, mostBytes: number): string {
  const { fd, size } = openFile(path);
  try {
    if (size > mostBytes) throw exceeds(path, size, mostBytes);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function exceeds(path: string, size: number, mostBytes: number): LazyscopeError {
  return new LazyscopeError(
    'corrupt',
    `'${path}' has ${size} bytes, more than the ${mostBytes} that are read of such a file: check that it is the file you mean.`,
  );
}
