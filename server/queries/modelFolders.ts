/** Language models by name: folders and GGUF files, the store's own before those of the package. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isModel } from '../../sae/models/isModel.ts';
import { namePattern } from '../../sae/spec/names.ts';

/** The first model of that name; undefined if there is none, or if it is no name: no client reaches beyond the folders. */
export function namedModelFolder(folders: readonly string[], name: string): string | undefined {
  if (!namePattern.test(name)) return undefined;
  return folders.map((folder) => join(folder, name)).find(isModel);
}

/** The model folders by name, each name once: the first folder of that name. */
export async function modelFoldersIn(
  folders: readonly string[],
): Promise<{ name: string; folder: string; parent: string }[]> {
  const found = new Map<string, { name: string; folder: string; parent: string }>();
  for (const parent of folders) {
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries) {
      const folder = join(parent, name);
      if (!found.has(name) && isModel(folder)) found.set(name, { name, folder, parent });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
