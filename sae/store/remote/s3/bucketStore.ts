/**
 * A store in a bucket that can be written too. What a rename is on a disk is here the sending of an object: a file that has taken its name in the folder
 * on this disk is sent, a manifest after everything else of its folder, each under the condition that the object is still the one that this process
 * knows (or that there is none). So a store in a bucket is at every moment what a store on a disk would be, for readers and for whoever goes on
 * after a crash.
 */
import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../../../errors.ts';
import type { Report } from '../../../progress.ts';
import { canBeShared, isOfPublishedFolder } from '../../../spec/manifests/storeListing.ts';
import type { HoldOptions, Release, RemoteChanges, RemoteFiles } from '../bringIn.ts';
import { CachedStore } from '../cachedStore.ts';
import { isManifest } from '../isManifest.ts';
import { Turns } from '../turns.ts';
import { Bucket, type BucketOptions } from './bucket.ts';
import { parseBucketAddress } from './bucketAddress.ts';
import { ObjectChanged } from './bucketErrors.ts';
import { BucketLock, type LockTimes } from './bucketLock.ts';
import { BucketSource, isHidden } from './bucketSource.ts';
import { hashOf } from './openFile.ts';
import { sharedObject, type SharedObject } from './sharedObject.ts';
import { tryConditions } from './tryConditions.ts';

/** Files that are sent at a time. */
const atOnce = 4;

export interface BucketStoreOptions extends BucketOptions {
  /** `s3://bucket/prefix` */
  url: string;
  /** The folder of all caches. */
  caches: string;
  /** Bytes of fetched files that are kept. */
  mostBytes: number;
  staysFor?: number;
  /** Whether this process works for a queue, which gives its job to another one when this one ends. */
  isJob?: boolean;
  lockTimes?: LockTimes;
  report?: Report;
}

export class BucketStore implements RemoteFiles, RemoteChanges {
  readonly root: string;
  readonly url: string;
  readonly machineFolder: string;
  /** Files that an earlier process has written and not sent, as this one found them. */
  readonly unsent: number;
  readonly #bucket: Bucket;
  readonly #cache: CachedStore;
  readonly #lockTimes: LockTimes | undefined;
  readonly #locks = new Map<string, BucketLock>();
  /** What is being sent, by path in the store. */
  readonly #sending = new Map<string, Promise<void>>();
  readonly #turns = new Turns(atOnce);
  #failure: Error | undefined;
  #obeys: Promise<void> | undefined;

  private constructor(bucket: Bucket, cache: CachedStore, lockTimes: LockTimes | undefined) {
    this.root = cache.root;
    this.url = cache.url;
    this.machineFolder = cache.machineFolder;
    this.#bucket = bucket;
    this.#cache = cache;
    this.#lockTimes = lockTimes;
    this.unsent = this.#changedFiles('').length;
  }

  /** Throws 'bad_input' for an address or keys that can't be used, 'not_found' where there is no bucket, 'unavailable', 'no_space'. */
  static async open(options: BucketStoreOptions): Promise<BucketStore> {
    const bucket = new Bucket(parseBucketAddress(options.url), options);
    try {
      const source = new BucketSource(bucket, options);
      // Of a job, the queue has what was not sent made again, perhaps elsewhere; whoever works for nobody's queue may have made it in vain.
      const cache = await CachedStore.of({
        ...options,
        source,
        purpose: options.isJob ? 'job' : 'work',
        keepsChanges: !options.isJob,
      });
      return new BucketStore(bucket, cache, options.lockTimes);
    } catch (error) {
      bucket.close();
      throw error;
    }
  }

  get changes(): RemoteChanges {
    return this;
  }

  shared(name: string): SharedObject {
    return sharedObject(this.#bucket, name);
  }

  async refresh(): Promise<void> {
    await this.#cache.refresh();
  }

  bringIn(path: string): Promise<void> {
    return this.#cache.bringIn(path);
  }

  bringInFolder(folder: string): Promise<void> {
    return this.#cache.bringInFolder(folder);
  }

  hold(paths: readonly string[], options?: HoldOptions): Promise<Release> {
    return this.#cache.hold(paths, options);
  }

  fetchAhead(paths: readonly string[]): void {
    this.#cache.fetchAhead(paths);
  }

  hasRoomFor(paths: readonly string[]): boolean {
    return this.#cache.hasRoomFor(paths);
  }

  async putOut(path: string): Promise<void> {
    const name = this.#cache.nameOf(path);
    if (!isOfStore(name)) return;
    if (!canBeShared(name)) {
      await rm(path, { force: true });
      throw this.#nameRefused(name);
    }
    this.#throwFailure();
    if (!vouches(name)) return this.#sendLater(name);
    await this.#sendFolder(unitOf(name), name);
    await this.#sendInTurn(name);
  }

  async takeOut(path: string): Promise<void> {
    const name = this.#cache.nameOf(path);
    const below = (one: string) => one === name || one.startsWith(`${name}/`);
    await Promise.allSettled([...this.#sending].filter(([one]) => below(one)).map(([, sent]) => sent));
    for (const one of [...this.#cache.files.keys()].filter(below)) await this.#remove(one);
  }

  async lock(folder: string, what: string): Promise<() => Promise<void>> {
    const name = this.#cache.nameOf(folder);
    if (!isOfPublishedFolder(`${name}/`)) return async () => {};
    await this.#makeSureItObeys();
    const lock = await BucketLock.take(this.#bucket, name, what, this.#lockTimes);
    this.#locks.set(name, lock);
    try {
      // Whoever had it before may have changed what is in it since this process asked.
      await this.#cache.refresh(`${name}/`);
    } catch (error) {
      await this.#giveBack(name, lock);
      throw error;
    }
    let released: Promise<void> | undefined;
    return () =>
      (released ??= (async () => {
        try {
          // It is another's from now on: what was written in it is there before.
          if (!this.#failure) await this.#finishFolder(name);
        } finally {
          await this.#giveBack(name, lock);
        }
      })());
  }

  /** Sends what was not sent yet, waits for all of it and closes. Throws what sending it came to. */
  async close(): Promise<void> {
    try {
      await Promise.allSettled(this.#sending.values());
      this.#throwFailure();
      await this.#finishFolder('');
      // What came by another way than `putOut`, such as the renaming of a folder.
      const odd = filesBelow(this.root, '').find((name) => isOfStore(name) && !canBeShared(name));
      if (odd !== undefined) throw this.#nameRefused(odd);
    } finally {
      for (const [name, lock] of this.#locks) await this.#giveBack(name, lock).catch(() => {});
      await this.#cache.close();
      this.#bucket.close();
    }
  }

  async #giveBack(name: string, lock: BucketLock): Promise<void> {
    this.#locks.delete(name);
    await lock.release();
  }

  async #finishFolder(scope: string): Promise<void> {
    await this.#sendFolder(scope);
    const manifests = this.#changedFiles(scope).filter(vouches);
    for (const name of byAge(this.root, manifests)) await this.#sendInTurn(name);
  }

  /** Everything that was changed in a folder of the store but its manifests. */
  async #sendFolder(scope: string, besides?: string): Promise<void> {
    for (const name of this.#changedFiles(scope))
      if (!vouches(name) && name !== besides) this.#sendLater(name);
    await Promise.allSettled(
      [...this.#sending].filter(([name]) => isIn(name, scope)).map(([, sent]) => sent),
    );
    this.#throwFailure();
  }

  #sendLater(name: string): void {
    this.#sendInTurn(name).catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  /** After what is being sent of the same file. */
  #sendInTurn(name: string): Promise<void> {
    const before = this.#sending.get(name) ?? Promise.resolve();
    const sent = before
      .catch(() => {})
      .then(() => this.#turns.take(() => this.#send(name)))
      .finally(() => {
        if (this.#sending.get(name) === sent) this.#sending.delete(name);
      });
    this.#sending.set(name, sent);
    return sent;
  }

  async #send(name: string): Promise<void> {
    if (this.#cache.stateOf(name) !== 'changed') return;
    await this.#makeSureItObeys();
    this.#checkLock(name);
    const fd = openSync(join(this.root, name), 'r');
    try {
      const { size: bytes, mtimeMs } = fstatSync(fd);
      const sha256 = await hashOf(fd, 0, bytes);
      const known = this.#cache.files.get(name);
      let etag: string;
      try {
        etag = await this.#bucket.put(
          name,
          { fd, bytes, sha256 },
          known ? { etag: known.version } : 'absent',
        );
      } catch (error) {
        if (!(error instanceof ObjectChanged)) throw error;
        const found = await this.#bucket.head(name);
        // It is what this process would have written: its own, of which the answer was lost, or another's of the same content.
        if (found?.sha256 !== sha256) {
          await this.#cache.restore(name, found && { path: name, bytes: found.bytes, version: found.etag });
          throw this.#changedMeanwhile(name);
        }
        etag = found.etag;
      }
      this.#cache.settle({ path: name, bytes, version: etag }, mtimeMs);
    } finally {
      closeSync(fd);
    }
  }

  async #remove(name: string): Promise<void> {
    this.#checkLock(name);
    const known = this.#cache.files.get(name);
    const found = await this.#bucket.head(name);
    if (found && known && found.etag !== known.version) {
      await this.#cache.restore(name, { path: name, bytes: found.bytes, version: found.etag });
      throw this.#changedMeanwhile(name);
    }
    if (found) await this.#bucket.remove(name);
    await this.#cache.restore(name);
  }

  #nameRefused(name: string): LazyscopeError {
    return new LazyscopeError(
      'bad_input',
      `'${name}' can't be kept in '${this.url}': names there have letters, digits and . _ + = @ - and don't begin with a dot; rename it.`,
    );
  }

  #changedMeanwhile(name: string): LazyscopeError {
    return new LazyscopeError(
      'conflict',
      `'${this.#bucket.shown(name)}' was changed by another process meanwhile, and that is kept: run this again.`,
    );
  }

  #checkLock(name: string): void {
    for (const [folder, lock] of this.#locks) if (isIn(name, folder)) lock.check();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }

  #changedFiles(scope: string): string[] {
    return filesBelow(this.root, scope).filter(
      (name) => isOfStore(name) && canBeShared(name) && this.#cache.stateOf(name) === 'changed',
    );
  }

  /** Once, before anything is written. */
  #makeSureItObeys(): Promise<void> {
    this.#obeys ??= tryConditions(this.#bucket);
    return this.#obeys;
  }
}

/** Whether a file of the folder belongs into the store, and not to this machine's server or to a write that is going on. */
const isOfStore = (name: string) =>
  !isHidden(name) && (isOfPublishedFolder(name) || name.startsWith('parts/') || name === 'labels.json');

const isIn = (name: string, scope: string) => scope === '' || name === scope || name.startsWith(`${scope}/`);

/** Whether a file says something of the files beside it, which are sent before: a checkpoint of a run says how long metrics.arrow was. */
const vouches = (name: string) => isManifest(name) || /^runs\/[^/]+\/checkpoints\//.test(name);

/** What a manifest vouches for: the run, capture, comparison … that it is of. */
const unitOf = (name: string) => name.split('/').slice(0, 2).join('/');

function filesBelow(root: string, scope: string): string[] {
  const found = statSync(join(root, scope), { throwIfNoEntry: false });
  if (found?.isFile()) return [scope];
  if (!found) return [];
  return readdirSync(join(root, scope), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    );
}

/** Those that were written first before the others. */
function byAge(root: string, names: readonly string[]): string[] {
  const changed = new Map(names.map((name) => [name, statSync(join(root, name)).mtimeMs]));
  return names.toSorted((a, b) => (changed.get(a) ?? 0) - (changed.get(b) ?? 0));
}
