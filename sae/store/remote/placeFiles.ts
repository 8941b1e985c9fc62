import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canBeShared } from '../../spec/manifests/storeListing.ts';
import { explainWriteError } from '../explainWriteError.ts';
import { removeFiles } from './cacheFolder.ts';
import type { FetchedFile } from './cacheRecord.ts';
import { isPlaceholder, isWhole, wasChanged, writePlaceholder } from './placeholder.ts';
import type { RemoteFile } from './remoteSource.ts';
import { makeFolder } from '../makeFolder.ts';

const hasContent = (path: string) => !isPlaceholder(path, statSync(path).size);

/**
 * Puts every file of a store in its place below `root`, as a placeholder where its content isn't there, and removes what is no longer in the store.
 * `record` is what an earlier process knew, and undefined where that can't be read. Returns what is there with its content, and the times of change
 * of the placeholders. Throws 'no_space'.
 */
export async function placeFiles(
  root: string,
  files: ReadonlyMap<string, RemoteFile>,
  { record, keepsChanges }: { record: ReadonlyMap<string, FetchedFile> | undefined; keepsChanges: boolean },
): Promise<{ here: Map<string, FetchedFile>; placeholders: Map<string, number> }> {
  const here = new Map<string, FetchedFile>();
  const placeholders = new Map<string, number>();
  const folders = new Set<string>();
  for (const file of files.values()) {
    const place = join(root, file.path);
    const known = record?.get(file.path);
    if (known?.version === file.version && isWhole(place, file.bytes)) {
      const changed = statSync(place).mtimeMs;
      if (known.changed === undefined || known.changed === changed) {
        here.set(file.path, { ...known, changed });
        continue;
      }
    }
    // Changed here, and not there since: this process sends it.
    if (keepsChanges && known?.version === file.version && wasChanged(place, known.changed)) {
      here.set(file.path, known);
      continue;
    }
    const folder = dirname(place);
    try {
      if (!folders.has(folder)) makeFolder(folder);
      folders.add(folder);
      await rm(place, { force: true });
      writePlaceholder(place, file.bytes);
      placeholders.set(file.path, statSync(place).mtimeMs);
    } catch (error) {
      throw explainWriteError(error, place);
    }
  }
  await removeFiles(
    root,
    (name) =>
      // Beside the folders are the server's own files.
      name.includes('/') &&
      !files.has(name) &&
      // What was never in the store, as far as is known, was not sent yet. What stands for a file that was removed there is no such thing.
      !(keepsChanges && record && !record.has(name) && canBeShared(name) && hasContent(join(root, name))),
  );
  if (!files.has('labels.json')) await rm(join(root, 'labels.json'), { force: true });
  return { here, placeholders };
}
