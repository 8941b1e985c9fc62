/**
 * Opens a table of the store that is handed over as it lies. Whoever may read the store gets its tables, and nothing else of the
 * machine: a store that somebody else packed may hold links to other files, or other files under the name of a table.
 */
import { lstat, realpath, type FileHandle } from 'node:fs/promises';
import { sep } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { openFileHandle } from '../../sae/formats/openFileHandle.ts';
import { bringIn } from '../../sae/store/remote/bringIn.ts';

export type FileFormat = 'parquet' | 'arrow';

/** With what a file begins, and ends. An Arrow stream may be cut short while it is written. */
const marks: Record<FileFormat, { begins: Buffer; ends: Buffer }> = {
  parquet: { begins: Buffer.from('PAR1'), ends: Buffer.from('PAR1') },
  arrow: { begins: Buffer.from([0xff, 0xff, 0xff, 0xff]), ends: Buffer.alloc(0) },
};

/**
 * The caller closes `file`. Throws as `bringIn`, 'not_found' for a file that isn't there, 'bad_input' for a link that leads out of `root`, the
 * data folder, and 'corrupt' for what is no file of the format.
 */
export async function openTableFile(
  path: string,
  format: FileFormat,
  root: string,
): Promise<{ file: FileHandle; bytes: number }> {
  await bringIn(path);
  const missing = (cause: unknown) =>
    new LazyscopeError('not_found', `'${path}' can't be read: make it first.`, { cause });
  const found = await lstat(path).catch((cause: unknown) => Promise.reject(missing(cause)));
  // A folder may be a link, to a larger disk for example; a table of its own has no reason to.
  if (found.isSymbolicLink()) {
    const target = await realpath(path).catch((cause: unknown) => Promise.reject(missing(cause)));
    if (!target.startsWith(`${await realpath(root)}${sep}`))
      throw new LazyscopeError(
        'bad_input',
        `'${path}' is a link that leads out of the data folder: put the file itself there.`,
      );
  }
  const { file, size } = await openFileHandle(path, 'make it first');
  try {
    const { begins, ends } = marks[format];
    const isWhole =
      size === 0 || ((await isThere(file, begins, 0)) && (await isThere(file, ends, size - ends.length)));
    if (!isWhole)
      throw new LazyscopeError('corrupt', `'${path}' is not a whole ${names[format]}: make it again.`);
    return { file, bytes: size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const names: Record<FileFormat, string> = { parquet: 'Parquet file', arrow: 'Arrow stream' };

async function isThere(file: FileHandle, expected: Buffer, position: number): Promise<boolean> {
  if (position < 0) return false;
  const found = Buffer.alloc(expected.length);
  await file.read(found, 0, found.length, position);
  return found.equals(expected);
}
