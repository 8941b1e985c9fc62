/** The files of a store that lies in a bucket: an object each, under the file's path. */
import { open, rm, stat } from 'node:fs/promises';
import { isLazyscopeError, LazyscopeError } from '../../../errors.ts';
import { canBeShared } from '../../../spec/manifests/storeListing.ts';
import { writeAll } from '../../atomicWrite.ts';
import { explainWriteError } from '../../explainWriteError.ts';
import { checkPaths } from '../checkPaths.ts';
import type { RemoteFile, RemoteSource } from '../remoteSource.ts';
import { fileChecksum } from '../../fileChecksum.ts';
import { ObjectChanged, ObjectMissing, Passing } from './bucketErrors.ts';
import type { Bucket, ObjectFacts } from './bucket.ts';
import { persistently, type Patience } from './persistently.ts';

export class BucketSource implements RemoteSource {
  readonly url: string;
  readonly host: string;
  readonly identity: string;
  /** Keys that can be no file of a store, as of the last listing; hidden ones, such as locks, aside. */
  leftOut: string[] = [];
  readonly #bucket: Bucket;
  readonly #patience: Patience;

  constructor(bucket: Bucket, patience: Patience = {}) {
    this.url = bucket.address.url;
    this.host = bucket.address.bucket;
    this.identity = `${bucket.server} ${bucket.address.url}`;
    this.#bucket = bucket;
    this.#patience = patience;
  }

  /** Throws as `Bucket.list`, and 'corrupt' for keys that can't be files beside one another. */
  async files(below = ''): Promise<RemoteFile[]> {
    const objects = await this.#bucket.list(below);
    const files = objects
      .filter(({ key }) => canBeShared(key))
      .map(({ key, bytes, etag }) => ({ path: key, bytes, version: etag }));
    // Beside the folders of a store may lie anything, such as its store.json.
    this.leftOut = objects.flatMap(({ key }) =>
      canBeShared(key) || !key.includes('/') || key.endsWith('/') || isHidden(key) ? [] : [key],
    );
    checkPaths(files, `'${this.url}'`, 'remove one of them');
    return files;
  }

  async download(file: RemoteFile, into: string): Promise<RemoteFile | undefined> {
    const begun = (await stat(into).catch(() => undefined))?.size ?? 0;
    // What is there whole was never compared with its checksum.
    if (begun >= file.bytes) await rm(into, { force: true });
    const started = begun > 0 && begun < file.bytes;
    try {
      return await this.#fetch(file, into);
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined;
      // What an earlier process left may be of another content than what came now.
      if (!started || !isLazyscopeError(error) || error.code !== 'corrupt') throw error;
      return this.#fetch(file, into);
    }
  }

  async isSame(file: RemoteFile, place: string): Promise<boolean> {
    if ((await stat(place)).size !== file.bytes) return false;
    const facts = await this.#bucket.head(file.path);
    return facts?.sha256 !== undefined && facts.sha256 === (await fileChecksum(place));
  }

  async #fetch({ path, version }: RemoteFile, into: string): Promise<RemoteFile> {
    /** What is being fetched, once an answer has said it. */
    let facts: ObjectFacts | undefined;
    await persistently(
      this.#patience,
      async () => {
        const handle = await open(into, 'a').catch((error: unknown) => {
          throw explainWriteError(error, into);
        });
        try {
          let at = (await handle.stat()).size;
          if (facts && at >= facts.bytes) return;
          await this.#bucket.read(
            path,
            { from: at, etag: at > 0 ? (facts?.etag ?? version) : undefined },
            {
              begin: (found) => {
                facts = found;
              },
              take: async (chunk) => {
                at += chunk.length;
                await writeAll(handle, chunk);
              },
            },
          );
          if (facts && at < facts.bytes)
            throw new Passing(
              new LazyscopeError(
                'unavailable',
                `'${this.#bucket.shown(path)}' ended after ${at} of ${facts.bytes} bytes: try again later.`,
              ),
            );
          await handle.sync();
        } catch (error) {
          if (!(error instanceof ObjectChanged)) throw explainWriteError(error, into);
          // It is another one by now, of which nothing is here.
          facts = undefined;
          await handle.truncate(0);
          throw new Passing(
            new LazyscopeError(
              'unavailable',
              `'${this.#bucket.shown(path)}' changes faster than it can be fetched: try again later.`,
            ),
          );
        } finally {
          await handle.close();
        }
      },
      this.#patience.signal,
    );
    if (!facts) throw new Error(`nothing is known of ${path}`);
    const { bytes, etag, sha256 } = facts;
    const found = sha256 === undefined ? undefined : await fileChecksum(into);
    if ((await stat(into)).size === bytes && found === sha256) return { path, bytes, version: etag };
    await rm(into, { force: true });
    throw new LazyscopeError(
      'corrupt',
      `'${this.#bucket.shown(path)}' is not what was written there (its checksum is another): put it there again from a copy, or remove it and make it again.`,
    );
  }
}

/** Locks, and what is being written. */
export const isHidden = (path: string): boolean => /(^|\/)\./.test(path);
