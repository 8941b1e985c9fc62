/**
 * A store that lies elsewhere as a folder on this disk that fills as it is read, up to a size. Files are at their places from the beginning, as
 * placeholders. Manifests, which everything begins with, are fetched at once and stay.
 */
import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { silent, type Report } from '../../progress.ts';
import { explainWriteError } from '../explainWriteError.ts';
import type { HoldOptions, Release, RemoteFiles } from './bringIn.ts';
import type { CachedStoreOptions, SourceOptions } from './cacheOptions.ts';
import { takeCacheFolder, type CacheFolder } from './cacheFolder.ts';
import { CacheRecord, type FetchedFile } from './cacheRecord.ts';
import { HeldFiles } from './heldFiles.ts';
import { HttpSource } from './httpSource.ts';
import { isManifest } from './isManifest.ts';
import { PartialFiles } from './partialFiles.ts';
import { placeFiles } from './placeFiles.ts';
import { replaceByPlaceholder } from './placeholder.ts';
import type { RemoteFile, RemoteSource } from './remoteSource.ts';
import type { SharedObject } from './s3/sharedObject.ts';
import { Turns } from './turns.ts';
import { fileStatus } from '../fileStatus.ts';
import { makeFolder } from '../makeFolder.ts';

/** Files that are fetched at a time. */
const atOnce = 8;

/** A file of the folder: as it is in the store, not fetched, or changed on this disk (also new). */
type State = 'same' | 'placeholder' | 'changed' | 'missing';

export class CachedStore implements RemoteFiles {
  /** The folder to open as a store. */
  readonly root: string;
  /** The address, as it is shown. */
  readonly url: string;
  readonly machineFolder: string;
  shared?: (name: string) => SharedObject;
  /** Files that were fetched since it was opened. */
  fetches = 0;
  readonly #folder: CacheFolder;
  readonly #source: RemoteSource;
  readonly #mostBytes: number;
  readonly #staysFor: number;
  readonly #report: Report;
  readonly #files = new Map<string, RemoteFile>();
  /** What is here, by its path in the store. */
  readonly #here = new Map<string, FetchedFile>();
  /** Times of change of the placeholders. */
  readonly #placeholders = new Map<string, number>();
  readonly #coming = new Map<string, Promise<void>>();
  /** Of these, what nobody waits for. */
  readonly #ahead = new Map<string, Promise<void>>();
  /** What came so, and nobody has asked for yet. */
  readonly #early = new Set<string>();
  /** What is being made a placeholder. */
  readonly #going = new Map<string, Promise<void>>();
  readonly #held = new HeldFiles();
  readonly #partial: PartialFiles;
  readonly #record: CacheRecord;
  /** Files that this process has written, which it may have open. */
  readonly #written = new Set<string>();
  readonly #turns = new Turns(atOnce);
  /** Of what is here or coming, without manifests. */
  #bytes = 0;
  /** Of what waits until others have made room. */
  #waiting = 0;

  private constructor(folder: CacheFolder, { source, mostBytes, staysFor = 60_000, report }: SourceOptions) {
    this.url = source.url;
    this.root = join(folder.path, 'files');
    this.machineFolder = folder.base;
    this.#folder = folder;
    this.#source = source;
    this.#partial = new PartialFiles(join(folder.path, 'partial'), source);
    this.#record = new CacheRecord(join(folder.path, 'fetched.json'), this.#here);
    this.#mostBytes = mostBytes;
    this.#staysFor = staysFor;
    this.#report = report ?? silent;
  }

  /** A published store. Throws as HttpSource does, and `conflict` when another process has this store open. */
  static open(options: CachedStoreOptions): Promise<CachedStore> {
    return CachedStore.of({ ...options, source: new HttpSource(options.url, options) });
  }

  /** Throws what asking for the files throws, and `conflict` when other processes have all folders. */
  static async of(options: SourceOptions): Promise<CachedStore> {
    const { source, caches, purpose, keepsChanges = false } = options;
    const folder = await takeCacheFolder(caches, source, purpose);
    try {
      const files = await source.files();
      const store = new CachedStore(folder, options);
      await store.#prepare(files, keepsChanges);
      await store.#bringManifests();
      await store.#record.write();
      return store;
    } catch (error) {
      await folder.abandon();
      throw error;
    }
  }

  /** Bytes of fetched files, without manifests. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The files of the store as far as they are known. */
  get files(): ReadonlyMap<string, RemoteFile> {
    return this.#files;
  }

  /** The path in the store of a file of the folder. */
  nameOf(path: string): string {
    return relative(this.root, path).replaceAll(sep, '/');
  }

  async bringIn(path: string): Promise<void> {
    const name = this.nameOf(path);
    this.#early.delete(name);
    const settling = this.#ahead.get(name) ?? this.#going.get(name);
    if (settling) await settling;
    const file = this.#files.get(name);
    if (!file) return;
    const here = this.#here.get(file.path);
    if (here) {
      here.used = Date.now();
      this.#record.later();
      return;
    }
    // A file that was changed here is read as it is.
    if (this.stateOf(file.path) === 'changed') return;
    await this.#come(file);
  }

  #come(file: RemoteFile, isAhead = false): Promise<void> {
    let coming = this.#coming.get(file.path);
    if (!coming) {
      coming = this.#fetch(file, isAhead).finally(() => this.#coming.delete(file.path));
      this.#coming.set(file.path, coming);
    }
    return coming;
  }

  fetchAhead(paths: readonly string[]): void {
    for (const path of paths) {
      const name = this.nameOf(path);
      const file = this.#files.get(name);
      const isThere = !file || this.#here.has(name) || this.#coming.has(name) || this.#going.has(name);
      if (isThere || this.stateOf(name) === 'changed') continue;
      if (this.#bytes + this.#waiting - this.#bytesToGo() + file.bytes > this.#mostBytes) return;
      // What it fails with is found by whoever asks for the file, which is then fetched again.
      const coming = this.#come(file, true)
        .catch(() => {})
        .finally(() => this.#ahead.delete(name));
      this.#ahead.set(name, coming);
    }
  }

  hasRoomFor(paths: readonly string[]): boolean {
    const names = new Set(paths.map((path) => this.nameOf(path)));
    let bytes = 0;
    for (const name of names) bytes += this.#files.get(name)?.bytes ?? 0;
    for (const name of this.#here.keys())
      if (!names.has(name) && !isManifest(name) && !this.#mayGo(name))
        bytes += this.#files.get(name)?.bytes ?? 0;
    return bytes <= this.#mostBytes;
  }

  async bringInFolder(folder: string): Promise<void> {
    const below = `${this.nameOf(folder)}/`;
    const names = [...this.#files.keys()].filter((path) => path.startsWith(below));
    await Promise.all(names.map((path) => this.bringIn(join(this.root, path))));
  }

  async hold(paths: readonly string[], { quietly = false }: HoldOptions = {}): Promise<Release> {
    const names = paths.map((path) => this.nameOf(path));
    const letGo = this.#held.take(names);
    const total = names.reduce((sum, name) => sum + (this.#files.get(name)?.bytes ?? 0), 0);
    let done = 0;
    try {
      const ended = await Promise.allSettled(
        names.map(async (name) => {
          this.#early.delete(name);
          if (this.#here.has(name)) return void (done += this.#files.get(name)?.bytes ?? 0);
          await this.bringIn(join(this.root, name));
          done += this.#files.get(name)?.bytes ?? 0;
          if (!quietly) this.#report({ stage: 'fetch', done, total, unit: 'bytes' });
        }),
      );
      const failed = ended.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
    } catch (error) {
      letGo();
      throw error;
    }
    return (spent = false) => {
      for (const here of letGo() && spent ? names.map((name) => this.#here.get(name)) : [])
        if (here) here.used = Math.min(here.used, this.#long());
    };
  }

  /** Whether a file, by its path in the store, is as it is there. */
  stateOf(name: string): State {
    const found = fileStatus(join(this.root, name));
    if (!found?.isFile()) return 'missing';
    const here = this.#here.get(name);
    if (here)
      return found.mtimeMs === here.changed && found.size === this.#files.get(name)?.bytes
        ? 'same'
        : 'changed';
    return this.#placeholders.get(name) === found.mtimeMs ? 'placeholder' : 'changed';
  }

  /** A file of this disk, which had the given time of change then, is now in the store. */
  settle(file: RemoteFile, changed: number): void {
    this.#forget(file.path);
    this.#files.set(file.path, file);
    this.#here.set(file.path, { version: file.version, used: Date.now(), changed });
    if (!isManifest(file.path)) this.#bytes += file.bytes;
    this.#written.add(file.path);
    this.#record.later();
  }

  /** A file is no longer in the store, or, with `file`, is another one there: what this disk has of it goes. */
  async restore(name: string, file?: RemoteFile): Promise<void> {
    this.#forget(name);
    this.#files.delete(name);
    this.#written.delete(name);
    const place = join(this.root, name);
    if (!file) return rm(place, { force: true });
    this.#files.set(name, file);
    await this.#hollow(file);
    if (isManifest(name)) await this.bringIn(place);
  }

  /** Asks again which files there are, or those whose paths begin with `below`. What has changed there comes in place of what is here. Returns whether anything has. */
  async refresh(below = ''): Promise<boolean> {
    const files = await this.#source.files(below);
    const names = new Set(files.map(({ path }) => path));
    const gone = [...this.#files.keys()].filter((name) => name.startsWith(below) && !names.has(name));
    const changed = files.filter(({ path, version }) => this.#files.get(path)?.version !== version);
    for (const name of gone) await this.restore(name);
    // Manifests last: they vouch for the others.
    for (const file of changed.filter(({ path }) => !isManifest(path))) await this.restore(file.path, file);
    for (const file of changed.filter(({ path }) => isManifest(path))) {
      this.#forget(file.path);
      this.#files.set(file.path, file);
      makeFolder(dirname(join(this.root, file.path)));
      await this.#unlessGone(file.path, () => this.#fetch(file));
    }
    return gone.length + changed.length > 0;
  }

  /** Waits for what is being fetched, and lets other processes have the folder. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#coming.values());
    await this.#record.write();
    await this.#folder.unlock();
  }

  async #fetch(file: RemoteFile, isAhead = false): Promise<void> {
    const pinned = isManifest(file.path);
    if (!pinned) await this.#makeRoom(file, isAhead);
    try {
      const place = join(this.root, file.path);
      const came = await this.#turns.take(() => this.#partial.fetch(file, place));
      if (!came) {
        await this.restore(file.path);
        throw new LazyscopeError(
          'not_found',
          `'${file.path}' was removed from '${this.url}' meanwhile: run it again.`,
        );
      }
      this.fetches++;
      if (!pinned) this.#bytes += came.bytes - file.bytes;
      this.#files.set(file.path, came);
      this.#placeholders.delete(file.path);
      this.#here.set(file.path, {
        version: came.version,
        used: Date.now(),
        changed: statSync(place).mtimeMs,
      });
      if (isAhead && this.#ahead.has(file.path)) this.#early.add(file.path);
      this.#record.later();
    } catch (error) {
      if (!pinned) this.#bytes -= file.bytes;
      throw explainWriteError(error, join(this.root, file.path));
    }
  }

  /** Puts placeholders where the files are that were not used for longest, until one more fits in, and counts that one. */
  async #makeRoom({ path, bytes }: RemoteFile, isAhead: boolean): Promise<void> {
    this.#waiting += bytes;
    for (;;) {
      const old = this.#toGo().sort(([, a], [, b]) => a.used - b.used);
      // What nobody has asked for yet is the last to go, the latest of it first, which is what will be asked for last.
      const early = isAhead ? [] : [...this.#early].reverse();
      for (const name of [...old.map(([each]) => each), ...early]) {
        if (this.#bytes + bytes <= this.#mostBytes) break;
        const isOld = (this.#here.get(name)?.used ?? Infinity) <= this.#long();
        if ((isOld || this.#early.has(name)) && this.#mayGo(name)) await this.#letGo(name);
      }
      if (this.#bytes + bytes <= this.#mostBytes) {
        this.#waiting -= bytes;
        this.#bytes += bytes;
        return;
      }
      if (isAhead || this.#ahead.size === 0) break;
      await Promise.race(this.#ahead.values());
    }
    this.#waiting -= bytes;
    throw new LazyscopeError(
      'no_space',
      `The cache of ${megabytes(this.#mostBytes)} MB has no room for '${path}' (${megabytes(bytes)} MB) beside ${megabytes(this.#bytes)} MB in use: give more with LAZYSCOPE_CACHE_SIZE, or with serve's --cache-size.`,
    );
  }

  async #letGo(name: string): Promise<void> {
    const file = this.#files.get(name);
    if (!file || !this.#here.has(name) || this.stateOf(name) !== 'same') return;
    this.#forget(name);
    const going = this.#hollow(file).finally(() => this.#going.delete(name));
    this.#going.set(name, going);
    await going;
  }

  /** A time of use before which files may go. */
  #long(): number {
    return Date.now() - this.#staysFor - 1;
  }

  #toGo(): [string, FetchedFile][] {
    const long = this.#long();
    return [...this.#here].filter(([name, { used }]) => used <= long && this.#mayGo(name));
  }

  #bytesToGo(): number {
    return this.#toGo().reduce((sum, [name]) => sum + (this.#files.get(name)?.bytes ?? 0), 0);
  }

  #mayGo(name: string): boolean {
    return !isManifest(name) && !this.#written.has(name) && !this.#held.has(name);
  }

  /** What is known of the content of a file is known no more. */
  #forget(name: string): void {
    if (this.#here.delete(name) && !isManifest(name)) this.#bytes -= this.#files.get(name)?.bytes ?? 0;
    this.#placeholders.delete(name);
    this.#early.delete(name);
  }

  async #hollow(file: RemoteFile): Promise<void> {
    const place = join(this.root, file.path);
    try {
      makeFolder(dirname(place));
      await replaceByPlaceholder(place, file.bytes);
      this.#placeholders.set(file.path, statSync(place).mtimeMs);
    } catch (error) {
      throw explainWriteError(error, place);
    }
  }

  /** Puts every file of the store in its place, and removes what is no longer in it. */
  async #prepare(files: readonly RemoteFile[], keepsChanges: boolean): Promise<void> {
    makeFolder(this.root);
    for (const file of files) this.#files.set(file.path, file);
    const { here, placeholders } = await placeFiles(this.root, this.#files, {
      record: this.#record.read(),
      keepsChanges,
    });
    for (const [name, known] of here) {
      this.#here.set(name, known);
      if (!isManifest(name)) this.#bytes += this.#files.get(name)?.bytes ?? 0;
    }
    for (const [name, changed] of placeholders) this.#placeholders.set(name, changed);
    await this.#partial.keepOnly(files);
  }

  async #bringManifests(): Promise<void> {
    const manifests = [...this.#files.keys()].filter(isManifest);
    let done = 0;
    await Promise.all(
      manifests.map(async (path) => {
        await this.#unlessGone(path, () => this.bringIn(join(this.root, path)));
        this.#report({ stage: 'manifests', done: ++done, total: manifests.length, unit: 'files' });
      }),
    );
  }

  /** Other processes may remove files between the listing and the fetching. */
  async #unlessGone(name: string, fetching: () => Promise<void>): Promise<void> {
    try {
      await fetching();
    } catch (error) {
      if (this.#files.has(name)) throw error;
    }
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
