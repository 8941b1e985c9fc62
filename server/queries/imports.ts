import { readdir } from 'node:fs/promises';
import { namePattern } from '../../sae/spec/names.ts';
import type { ServerContext } from '../context.ts';

/** Folders and files of other tools in the folder imports of the data folder, by name. */
export async function namesToImport({ store }: ServerContext): Promise<string[]> {
  const names = await readdir(store.imports()).catch(() => []);
  return names.filter((name) => namePattern.test(name)).toSorted();
}
