/** Language models by name: subfolders with a config.json, the store's own before those of the package. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The first folder of that name; undefined if there is none. */
export function namedModelFolder(folders: readonly string[], name: string): string | undefined {
  return folders
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'config.json')));
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
      if (!found.has(name) && existsSync(join(folder, 'config.json')))
        found.set(name, { name, folder, parent });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
