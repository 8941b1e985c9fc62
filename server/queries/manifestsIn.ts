/** The manifests of one kind in the store, by name. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { z } from 'zod';
import { namePattern } from '../../sae/spec/names.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { Log } from '../log.ts';

interface Kind<Schema extends z.ZodType> {
  /** The folder that has a subfolder for each name. */
  folder: string;
  pathOf: (name: string) => string;
  schema: Schema;
}

/** Names that have a manifest, in alphabetical order. Writers' temporary folders and foreign files have none. */
export async function namesIn(folder: string, pathOf: (name: string) => string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.name.startsWith('.') && namePattern.test(entry.name))
    .map((entry) => entry.name)
    .filter((name) => existsSync(pathOf(name)))
    .sort();
}

/** A damaged manifest is logged and left out, so that it doesn't hide the others; asking for it by name says what is wrong. */
export async function manifestsIn<Schema extends z.ZodType>(
  { folder, pathOf, schema }: Kind<Schema>,
  log: Log,
): Promise<z.infer<Schema>[]> {
  const names = await namesIn(folder, pathOf);
  const manifests = await Promise.all(
    names.map((name) =>
      readManifest(pathOf(name), schema).catch((error: unknown) => {
        log(`Left out of the list: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      }),
    ),
  );
  return manifests.filter((manifest) => manifest !== undefined);
}
