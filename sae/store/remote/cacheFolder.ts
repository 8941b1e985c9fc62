/**
 * The folder of a store's cache, held by one process at a time: `files` (the store), `partial` (what is being fetched, by path and version, so that a later
 * process goes on with it), `fetched.json` (what is there) and the lock.
 */
import { createHash } from 'node:crypto';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { isLazyscopeError } from '../../errors.ts';
import { withLock } from '../lock.ts';
import { makeFolder } from '../makeFolder.ts';
import type { RemoteSource } from './remoteSource.ts';

/** Folders of one store for as many processes at a time. */
const mostFolders = 64;

export interface CacheFolder {
  path: string;
  /** The folder of all caches of this store. */
  base: string;
  unlock: () => Promise<void>;
  /** As `unlock`, when the store could not be opened: what was made for it and is empty goes. */
  abandon: () => Promise<void>;
}

const remedy = "name another with LAZYSCOPE_CACHE, or with serve's --cache";

/**
 * Without `purpose` there is one folder; with it, a process takes the first of that purpose that no other process has. Throws 'conflict' when there
 * is none, 'bad_input' where the folder of all caches can't be made.
 */
export async function takeCacheFolder(
  caches: string,
  source: Pick<RemoteSource, 'url' | 'host' | 'identity'>,
  purpose?: string,
): Promise<CacheFolder> {
  const base = resolve(caches, folderName(source));
  const uppermost = makeFolder(base, remedy);
  for (let number = 0; ; number++) {
    const path = purpose === undefined ? base : join(base, `${purpose}-${number}`);
    try {
      const unlock = await holdLock(path, source.url);
      const abandon = async () => {
        await unlock();
        await removeEmpty(path, uppermost ?? base);
      };
      return { path, base, unlock, abandon };
    } catch (error) {
      const taken = isLazyscopeError(error) && error.code === 'conflict';
      if (!taken || purpose === undefined || number + 1 === mostFolders) throw error;
    }
  }
}

/** Removes the files below a folder whose path in it, with slashes, is chosen. */
export async function removeFiles(root: string, isChosen: (name: string) => boolean): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && isChosen(relative(root, path).replaceAll(sep, '/'))) await rm(path);
  }
}

/** Removes a folder and those above it, up to the given one, as far as they are empty. */
async function removeEmpty(folder: string, uppermost: string): Promise<void> {
  try {
    for (let path = folder; ; path = dirname(path)) {
      await rmdir(path);
      if (path === uppermost) return;
    }
  } catch {
    // It isn't empty, or another process was first.
  }
}

/** Readable, and different for every store. */
function folderName({ host, identity }: Pick<RemoteSource, 'host' | 'identity'>): string {
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  return `${host.replaceAll(/[^A-Za-z0-9.-]/g, '_')}-${hash}`;
}

/** Holds the lock of a folder until the function that it returns is called. */
function holdLock(folder: string, what: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const held = withLock(
      folder,
      what,
      () =>
        new Promise<void>((release) =>
          resolve(async () => {
            release();
            await held;
          }),
        ),
    );
    held.catch(reject);
  });
}
