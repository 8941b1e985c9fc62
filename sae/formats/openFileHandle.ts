/** As openFile, for what reads while other work goes on. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { LazyscopeError } from '../errors.ts';

/**
 * The caller closes `file`. Looks before it opens, because opening a pipe waits for its writer, and a few such waits stop every reading
 * of files in this process. Throws `not_found` with the remedy, or `bad_input` for what is no file.
 */
export async function openFileHandle(
  path: string,
  remedy = 'check the path',
): Promise<{ file: FileHandle; size: number }> {
  const missing = (cause: unknown) =>
    new LazyscopeError('not_found', `'${path}' can't be read: ${remedy}.`, { cause });
  const status = await stat(path).catch((cause: unknown) => Promise.reject(missing(cause)));
  if (!status.isFile())
    throw new LazyscopeError('bad_input', `'${path}' is not a file: check the name and the data folder.`);
  const file = await open(path, 'r').catch((cause: unknown) => Promise.reject(missing(cause)));
  return { file, size: (await file.stat()).size };
}
