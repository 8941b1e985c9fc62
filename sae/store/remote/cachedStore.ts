/**
 * A published store as a folder on this disk that fills as it is read, up to a size. Files are at their places from the beginning, as placeholders
 * of their size: sparse, and beginning with bytes that no file of a store begins with, so that what would read one without `bringIn` finds
 * it damaged rather than empty. Manifests, which everything begins with, are fetched at once and stay.
 *
 * The folder of the cache has `files` (the store), `partial` (what is being fetched, by path and checksum, so that a later process goes on with it),
 * `fetched.json` (what is there) and the lock.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../../errors.ts';
import { silent, type Report } from '../../progress.ts';
import type { ListedFile } from '../../spec/manifests/storeListing.ts';
import { explainWriteError, pathBeside, writeFileAtomic } from '../atomicWrite.ts';
import { withLock } from '../lock.ts';
import type { RemoteFiles } from './bringIn.ts';
import { HttpSource, type HttpSourceOptions } from './httpSource.ts';

const mark = Buffer.from('lazyscope: this file has not been fetched yet\n');
/** Files that are fetched at a time. */
const atOnce = 8;
/** Milliseconds after which the record of what was used is written. */
const recordDelay = 2000;

const recordSchema = z.strictObject({
  version: z.literal(1),
  fetched: z.record(z.string(), z.strictObject({ sha256: z.string(), used: z.number() })),
});

export interface CachedStoreOptions extends HttpSourceOptions {
  /** The address of the store. */
  url: string;
  /** The folder of all caches. */
  caches: string;
  /** Bytes of fetched files, beside the manifests. */
  mostBytes: number;
  /** Milliseconds in which a file that was read stays: whoever asked for it may not have opened it yet. A minute when absent. */
  staysFor?: number;
  report?: Report;
}

export class CachedStore implements RemoteFiles {
  /** The folder to open as a store. */
  readonly root: string;
  /** The address, as it is shown. */
  readonly url: string;
  /** Files that were fetched since it was opened. */
  fetches = 0;
  readonly #folder: string;
  readonly #source: HttpSource;
  readonly #mostBytes: number;
  readonly #staysFor: number;
  readonly #files: ReadonlyMap<string, ListedFile>;
  /** When each file that is here was last used, by its path in the store. */
  readonly #here = new Map<string, { sha256: string; used: number }>();
  readonly #coming = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #fetching = 0;
  /** Of what is here or coming, without manifests. */
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #unlock: () => Promise<void> = async () => {};

  private constructor(
    source: HttpSource,
    folder: string,
    files: readonly ListedFile[],
    { mostBytes, staysFor = 60_000 }: CachedStoreOptions,
  ) {
    this.url = source.url;
    this.root = join(folder, 'files');
    this.#folder = folder;
    this.#source = source;
    this.#mostBytes = mostBytes;
    this.#staysFor = staysFor;
    this.#files = new Map(files.map((file) => [file.path, file]));
  }

  /** Throws as HttpSource does, and `conflict` when another process has this store open. */
  static async open(options: CachedStoreOptions): Promise<CachedStore> {
    const source = new HttpSource(options.url, options);
    const folder = join(options.caches, folderName(source.url));
    const unlock = await holdLock(folder, source.url);
    try {
      const { files } = await source.listing();
      const store = new CachedStore(source, folder, files, options);
      store.#unlock = unlock;
      await store.#prepare();
      await store.#bringManifests(options.report ?? silent);
      return store;
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Bytes of fetched files, without manifests. */
  get bytes(): number {
    return this.#bytes;
  }

  async bringIn(path: string): Promise<void> {
    const file = this.#files.get(relative(this.root, path).replaceAll(sep, '/'));
    if (!file) return;
    const here = this.#here.get(file.path);
    if (here) {
      here.used = Date.now();
      this.#recordLater();
      return;
    }
    let coming = this.#coming.get(file.path);
    if (!coming) {
      coming = this.#fetch(file).finally(() => this.#coming.delete(file.path));
      this.#coming.set(file.path, coming);
    }
    await coming;
  }

  /** Everything below a folder of the store. */
  async bringInFolder(folder: string): Promise<void> {
    const below = `${relative(this.root, folder).replaceAll(sep, '/')}/`;
    await Promise.all(
      [...this.#files.keys()]
        .filter((path) => path.startsWith(below))
        .map((path) => this.bringIn(join(this.root, path))),
    );
  }

  /** Waits for what is being fetched, and lets other processes have the folder. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#coming.values());
    clearTimeout(this.#timer);
    await this.#record();
    await this.#unlock();
  }

  async #fetch(file: ListedFile): Promise<void> {
    const pinned = isManifest(file.path);
    if (!pinned) {
      await this.#makeRoom(file);
      this.#bytes += file.bytes;
    }
    await this.#turn();
    try {
      const partial = join(this.#folder, 'partial', partialName(file));
      await this.#source.download(file, partial);
      await rename(partial, join(this.root, file.path));
      this.fetches++;
      this.#here.set(file.path, { sha256: file.sha256, used: Date.now() });
      this.#recordLater();
    } catch (error) {
      if (!pinned) this.#bytes -= file.bytes;
      throw explainWriteError(error, join(this.root, file.path));
    } finally {
      this.#fetching--;
      this.#waiting.shift()?.();
    }
  }

  /** A place among those who fetch. */
  async #turn(): Promise<void> {
    while (this.#fetching >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#fetching++;
  }

  /** Puts placeholders where the files are that were not used for longest, until one more fits in. */
  async #makeRoom({ path, bytes }: ListedFile): Promise<void> {
    const old = [...this.#here]
      .filter(([name, { used }]) => !isManifest(name) && used < Date.now() - this.#staysFor)
      .sort(([, a], [, b]) => a.used - b.used);
    for (const [name] of old) {
      if (this.#bytes + bytes <= this.#mostBytes) break;
      const file = this.#files.get(name);
      if (!file || !this.#here.delete(name)) continue;
      this.#bytes -= file.bytes;
      const place = join(this.root, name);
      const beside = pathBeside(place);
      writePlaceholder(beside, file.bytes);
      await rename(beside, place);
    }
    if (this.#bytes + bytes > this.#mostBytes)
      throw new LazyscopeError(
        'no_space',
        `The cache of ${megabytes(this.#mostBytes)} MB has no room for '${path}' (${megabytes(bytes)} MB) beside ${megabytes(this.#bytes)} MB in use: give a larger --cache-size.`,
      );
  }

  /** Puts every file of the listing in its place, and removes what an earlier listing had. */
  async #prepare(): Promise<void> {
    await mkdir(join(this.#folder, 'partial'), { recursive: true });
    const record = this.#readRecord();
    const folders = new Set<string>();
    for (const file of this.#files.values()) {
      const place = join(this.root, file.path);
      const known = record[file.path];
      if (known?.sha256 === file.sha256 && isWhole(place, file.bytes)) {
        this.#here.set(file.path, known);
        if (!isManifest(file.path)) this.#bytes += file.bytes;
        continue;
      }
      const folder = dirname(place);
      if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
      folders.add(folder);
      try {
        await rm(place, { force: true });
        writePlaceholder(place, file.bytes);
      } catch (error) {
        throw explainWriteError(error, place);
      }
    }
    for (const entry of await readdir(this.root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(this.root, path).replaceAll(sep, '/');
      // Beside the folders are the server's own files.
      if (!entry.isDirectory() && name.includes('/') && !this.#files.has(name)) await rm(path);
    }
    if (!this.#files.has('labels.json')) await rm(join(this.root, 'labels.json'), { force: true });
    const wanted = new Set([...this.#files.values()].map(partialName));
    for (const name of await readdir(join(this.#folder, 'partial')))
      if (!wanted.has(name)) await rm(join(this.#folder, 'partial', name), { force: true });
  }

  async #bringManifests(report: Report): Promise<void> {
    const manifests = [...this.#files.keys()].filter(isManifest);
    let done = 0;
    await Promise.all(
      manifests.map(async (path) => {
        await this.bringIn(join(this.root, path));
        report({ stage: 'manifests', done: ++done, total: manifests.length, unit: 'files' });
      }),
    );
  }

  #readRecord(): z.infer<typeof recordSchema>['fetched'] {
    try {
      return recordSchema.parse(JSON.parse(readFileSync(join(this.#folder, 'fetched.json'), 'utf8'))).fetched;
    } catch {
      // Without it everything is fetched anew.
      return {};
    }
  }

  #recordLater(): void {
    this.#timer ??= setTimeout(() => void this.#record().catch(() => {}), recordDelay).unref();
  }

  async #record(): Promise<void> {
    this.#timer = undefined;
    const record = { version: 1, fetched: Object.fromEntries(this.#here) } satisfies z.infer<
      typeof recordSchema
    >;
    await writeFileAtomic(join(this.#folder, 'fetched.json'), JSON.stringify(record));
  }
}

/** Small, and read by whatever lists the store. */
const isManifest = (path: string) => path.endsWith('.json');

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** Readable, and different for every address. */
function folderName(url: string): string {
  const { hostname } = new URL(url);
  const hash = createHash('sha256').update(url).digest('hex').slice(0, 16);
  return `${hostname.replaceAll(/[^A-Za-z0-9.-]/g, '_')}-${hash}`;
}

/** Of the path too: two files of one content may come at the same time. */
function partialName({ path, sha256 }: ListedFile): string {
  return createHash('sha256').update(`${sha256} ${path}`).digest('hex');
}

function writePlaceholder(path: string, bytes: number): void {
  writeFileSync(path, mark.subarray(0, bytes));
  truncateSync(path, bytes);
}

/** Whether a file has this size and is no placeholder. */
function isWhole(path: string, bytes: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size !== bytes) return false;
  const begin = Buffer.alloc(Math.min(bytes, mark.length));
  const fd = openSync(path, 'r');
  try {
    readSync(fd, begin, 0, begin.length, 0);
  } finally {
    closeSync(fd);
  }
  return bytes === 0 || !begin.equals(mark.subarray(0, begin.length));
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
