/** The files of a text: one, or all of a folder. */
import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';

export interface TextFile {
  path: string;
  bytes: number;
}

/**
 * The file itself, or those of the folder and of the folders in it, in the order of their paths (by code unit). Names that begin with a dot are left
 * out. Throws `not_found` where nothing can be read, `bad_input` for a folder without files.
 */
export async function textFiles(path: string): Promise<{ files: TextFile[]; isFolder: boolean }> {
  const found = await look(path, path);
  if (!found.isDirectory()) {
    // A pipe can be read once, and its kind is told before it is read.
    if (!found.isFile())
      throw new LazyscopeError('bad_input', `The text '${path}' is neither a file nor a folder: give one.`);
    if (found.size === 0) throw new LazyscopeError('bad_input', `The text '${path}' is empty.`);
    return { files: [{ path, bytes: found.size }], isFolder: false };
  }
  const files: TextFile[] = [];
  await gather(path, path, files, [await realpath(path)]);
  if (files.every(({ bytes }) => bytes === 0))
    throw new LazyscopeError(
      'bad_input',
      `The folder '${path}' has no files with text in them: give another.`,
    );
  return { files: files.filter(({ bytes }) => bytes > 0), isFolder: true };
}

async function gather(folder: string, text: string, files: TextFile[], above: string[]): Promise<void> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
  for (const name of names.sort()) {
    const path = join(folder, name);
    const found = await look(path, text);
    if (found.isFile()) files.push({ path, bytes: found.size });
    else if (found.isDirectory()) {
      const real = await realpath(path);
      if (above.includes(real))
        throw new LazyscopeError(
          'bad_input',
          `The folder '${path}' of the text '${text}' is a link to a folder it is in: remove the link.`,
        );
      await gather(path, text, files, [...above, real]);
    }
  }
}

async function look(path: string, text: string): Promise<Stats> {
  return stat(path).catch((cause: unknown) => {
    const part = path === text ? '' : ` (its file '${path}')`;
    throw new LazyscopeError('not_found', `The text '${text}'${part} can't be read: check the path.`, {
      cause,
    });
  });
}
