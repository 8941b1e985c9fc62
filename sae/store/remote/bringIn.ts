/**
 * Stores that lie elsewhere, of which files are fetched when they are first read. Their folder on this disk has every file at its place and of
 * its size from the beginning; the content comes with `bringIn`, which whatever opens a file of a store calls before.
 */
import { sep } from 'node:path';

/** A folder whose files are somewhere else until they are asked for. */
export interface RemoteFiles {
  /** Absolute. */
  readonly root: string;
  /** Gives the file its content; nothing where it isn't one of theirs. */
  bringIn(path: string): Promise<void>;
  /** The same of every file below a folder. */
  bringInFolder(folder: string): Promise<void>;
}

const mounted = new Map<string, RemoteFiles>();

/** From now on `bringIn` fetches files of this folder. Returns what ends that. */
export function mountRemote(files: RemoteFiles): () => void {
  mounted.set(files.root, files);
  return () => mounted.delete(files.root);
}

/** Waits until a file, absolute, can be read on this disk. At once for files that were always here. Throws what fetching it throws. */
export async function bringIn(path: string): Promise<void> {
  for (const files of mounted.values()) if (path.startsWith(files.root + sep)) await files.bringIn(path);
}

/** The same of every file below a folder, or of one file: for what another process is going to read. */
export async function bringInFolder(path: string): Promise<void> {
  await bringIn(path);
  for (const files of mounted.values())
    if (path.startsWith(files.root + sep)) await files.bringInFolder(path);
}
