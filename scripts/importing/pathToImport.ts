import { existsSync } from 'node:fs';
import { namePattern } from '../../sae/spec/names.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';

/** A path as it was given or, where there is none, the one of that name in the folder imports of the data folder. */
export function pathToImport(store: StoreLayout, path: string): string {
  const inStore = namePattern.test(path) && !existsSync(path) ? store.imported(path) : path;
  return existsSync(inStore) ? inStore : path;
}
