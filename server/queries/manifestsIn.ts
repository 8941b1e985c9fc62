/** The manifests of one kind in the store, by name. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isLazyscopeError } from '../../sae/errors.ts';
import type { ManifestKind } from '../../sae/spec/manifests/manifestKind.ts';
import { namePattern } from '../../sae/spec/names.ts';
import type { LeftOut } from '../contract/overview.ts';
import type { ManifestCache } from '../manifestCache.ts';

export interface Place<Document extends { version: number }> {
  /** The folder that has a subfolder for each name. */
  folder: string;
  pathOf: (name: string) => string;
  kind: ManifestKind<Document>;
}

export interface Manifests<Document> {
  /** In alphabetical order. */
  manifests: Document[];
  leftOut: LeftOut;
}

/** Names that have a manifest, in alphabetical order. Writers' temporary folders and foreign files have none. */
async function namesIn(folder: string, pathOf: (name: string) => string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.name.startsWith('.') && namePattern.test(entry.name))
    .map((entry) => entry.name)
    .filter((name) => existsSync(pathOf(name)))
    .sort();
}

/**
 * A manifest that can't be read is counted and left out, so that it doesn't hide the others; the cache logs it, and asking for it
 * by name says what is wrong.
 */
export async function manifestsIn<Document extends { version: number }>(
  cache: ManifestCache,
  { folder, pathOf, kind }: Place<Document>,
): Promise<Manifests<Document>> {
  const names = await namesIn(folder, pathOf);
  const leftOut = { damaged: 0, newer: 0 };
  const manifests = await Promise.all(
    names.map((name) =>
      cache.read(pathOf(name), kind).catch((error: unknown) => {
        // What was deleted since its folder was listed is not damaged.
        if (!isLazyscopeError(error) || error.code !== 'not_found')
          leftOut[isLazyscopeError(error) && error.code === 'newer' ? 'newer' : 'damaged']++;
        return undefined;
      }),
    ),
  );
  return { manifests: manifests.filter((manifest) => manifest !== undefined), leftOut };
}
