import { createHash } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemoteFile, RemoteSource } from './remoteSource.ts';
import { makeFolder } from '../makeFolder.ts';

/** What is being fetched, by path and version, so that a later process goes on with it. */
export class PartialFiles {
  readonly #folder: string;
  readonly #source: RemoteSource;

  constructor(folder: string, source: RemoteSource) {
    this.#folder = folder;
    this.#source = source;
  }

  /** Fetches a file and puts it in its place once it is whole. Returns as `RemoteSource.download` does. */
  async fetch(file: RemoteFile, place: string): Promise<RemoteFile | undefined> {
    const partial = join(this.#folder, nameOf(file));
    const came = await this.#source.download(file, partial);
    if (came) await rename(partial, place);
    return came;
  }

  /** Removes what is of none of these files. */
  async keepOnly(files: Iterable<RemoteFile>): Promise<void> {
    makeFolder(this.#folder);
    const wanted = new Set([...files].map(nameOf));
    for (const name of await readdir(this.#folder))
      if (!wanted.has(name)) await rm(join(this.#folder, name), { force: true });
  }
}

/** Of the path too: two files of one content may come at the same time. */
function nameOf({ path, version }: RemoteFile): string {
  return createHash('sha256').update(`${version} ${path}`).digest('hex');
}
