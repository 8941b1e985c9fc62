/** The files of a store that are published, as store.json lists them. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { pause } from '../../pause.ts';
import { silent, type Report } from '../../progress.ts';
import { canBeListed, storeListingKind, type ListedFile } from '../../spec/manifests/storeListing.ts';
import type { StoreLayout } from '../layout.ts';
import { writeManifest } from '../writeManifest.ts';
import { fileChecksum } from '../fileChecksum.ts';

export interface IndexOptions {
  store: StoreLayout;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/**
 * Writes store.json, last of all, so that what it lists is there. Returns the listed files, and those whose names can't be listed.
 * Checkpoints, journals and hidden files are work in progress and of no use to readers; the database and other files beside the folders
 * are the server's own.
 */
export async function indexStore({
  store,
  report = silent,
  signal,
}: IndexOptions): Promise<{ files: ListedFile[]; leftOut: string[] }> {
  const { paths, leftOut } = await publishable(store.root);
  const files: ListedFile[] = [];
  for (const path of paths) {
    const place = join(store.root, path);
    const { size } = await stat(place);
    files.push({ path, bytes: size, sha256: await fileChecksum(place) });
    report({ stage: 'checksums', done: files.length, total: paths.length, unit: 'files' });
    await pause(signal, 'indexing the store');
  }
  await writeManifest(store.listing(), storeListingKind, {
    version: 1,
    createdAt: new Date().toISOString(),
    files,
  });
  return { files, leftOut };
}

/** What of a data folder others can use: paths in the store, in alphabetical order. Throws 'not_found' where there is no such folder. */
export async function publishable(root: string): Promise<{ paths: string[]; leftOut: string[] }> {
  const paths: string[] = [];
  const leftOut: string[] = [];
  if (!existsSync(root))
    throw new LazyscopeError(
      'not_found',
      `There is no data folder '${root}': give with --data the one that is to be published.`,
    );
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/');
    if (isUnfinished(path) || (!path.includes('/') && path !== 'labels.json')) continue;
    (canBeListed(path) ? paths : leftOut).push(path);
  }
  return { paths: paths.sort(), leftOut: leftOut.sort() };
}

const isUnfinished = (path: string) =>
  /(^|\/)\.|^(parts|launches)\/|^runs\/[^/]+\/checkpoints\/|\/labels-endpoint\.jsonl$/.test(path);
