/** Opens the store that `--data` gives the address of: a published one, or one in S3. */
import { join } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { bytesOf, sizeRule } from '../../sae/spec/sizes.ts';
import { isAddress, isBucketAddress } from '../../sae/store/remote/address.ts';
import type { Report } from '../../sae/progress.ts';
import type { Bucket } from '../../sae/store/remote/s3/bucket.ts';
import type { SharedObject } from '../../sae/store/remote/s3/sharedObject.ts';
import type { RemoteSource } from '../../sae/store/remote/remoteSource.ts';
import { environment, userCache } from './environment.ts';

export interface CacheFlags {
  cache?: string;
  cacheSize?: number;
}

/** Of a session, what opening a store takes. */
export interface Opening {
  options: { data?: string | undefined };
  report: Report;
  signal: AbortSignal;
  say(line: string): void;
}

export interface OpenedStore {
  root: string;
  url: string;
  /** Where labels and lists can be changed that a server shows. */
  labels?: SharedObject;
  close: () => Promise<void>;
}

const usualCacheSize = 10e9;
/** Milliseconds between two questions of a server for what has changed in a bucket. */
const askEvery = 10_000;

/** Where its files are kept, and how many bytes. Throws `bad_input` for a size in the environment that is none. */
function cacheOptions({ cache, cacheSize }: CacheFlags = {}) {
  const { folder, size } = environment.cache;
  const mostBytes = cacheSize ?? (size === undefined ? usualCacheSize : bytesOf(size.trim()));
  if (Number.isNaN(mostBytes))
    throw new LazyscopeError('bad_input', `LAZYSCOPE_CACHE_SIZE is '${size}': it ${sizeRule}.`);
  return { caches: cache ?? folder ?? join(userCache, 'stores'), mostBytes };
}

/** Of an address, what is there. Throws `bad_input` for one that can't be. */
export async function sourceOf(
  url: string,
  signal: AbortSignal,
): Promise<{ source: RemoteSource; bucket?: Bucket; close: () => void }> {
  if (!isBucketAddress(url)) {
    const { HttpSource } = await import('../../sae/store/remote/httpSource.ts');
    return { source: new HttpSource(url, { signal }), close: () => {} };
  }
  const { BucketSource } = await import('../../sae/store/remote/s3/bucketSource.ts');
  const bucket = await bucketOf(url, signal);
  return { source: new BucketSource(bucket, { signal }), bucket, close: () => bucket.close() };
}

/** Throws `bad_input` for what is no address of a bucket. */
export async function bucketOf(url: string, signal: AbortSignal): Promise<Bucket> {
  if (!isBucketAddress(url))
    throw new LazyscopeError(
      'bad_input',
      `'${url}' is not a bucket: give an address like s3://bucket/prefix.`,
    );
  const { Bucket } = await import('../../sae/store/remote/s3/bucket.ts');
  const { parseBucketAddress } = await import('../../sae/store/remote/s3/bucketAddress.ts');
  return new Bucket(parseBucketAddress(url), { ...environment.s3, signal });
}

/**
 * For a server, which only reads. Undefined where `--data` is a folder. Throws as CachedStore does, and `bad_input` for flags of a cache that there is
 * none of.
 */
export async function openPublished(
  { options, report, signal, say }: Opening,
  flags: CacheFlags,
): Promise<OpenedStore | undefined> {
  const { data } = options;
  if (data === undefined || !isAddress(data)) {
    const flag =
      flags.cache !== undefined ? '--cache' : flags.cacheSize !== undefined ? '--cache-size' : undefined;
    if (flag !== undefined)
      throw new LazyscopeError(
        'bad_input',
        `${flag} is for a published store: give its address with --data https://…, or leave ${flag} out.`,
      );
    return undefined;
  }
  const { CachedStore } = await import('../../sae/store/remote/cachedStore.ts');
  const { mountRemote } = await import('../../sae/store/remote/bringIn.ts');
  const { source, bucket, close } = await sourceOf(data, signal);
  const isBucket = isBucketAddress(data);
  const store = await CachedStore.of({
    ...cacheOptions(flags),
    source,
    report,
    ...(isBucket && { purpose: 'read' }),
  }).catch((error: unknown) => {
    close();
    throw error;
  });
  let labels: SharedObject | undefined;
  if (bucket) {
    const { sharedObject } = await import('../../sae/store/remote/s3/sharedObject.ts');
    store.shared = (name) => sharedObject(bucket, name);
    labels = store.shared('labels.json');
  }
  const unmount = mountRemote(store);
  const stopAsking = isBucket ? keepAsking(() => store.refresh(), say) : async () => {};
  return {
    root: store.root,
    url: store.url,
    ...(labels && { labels }),
    close: async () => {
      await stopAsking();
      unmount();
      await store.close();
      close();
    },
  };
}

/** What commands write into a bucket is seen by a server without being told. */
function keepAsking(refresh: () => Promise<boolean>, say: (line: string) => void): () => Promise<void> {
  let last = '';
  let asking = Promise.resolve();
  const ask = async () => {
    try {
      await refresh();
      last = '';
    } catch (error) {
      const line = error instanceof Error ? error.message : String(error);
      // Once, not every ten seconds.
      if (line !== last) say(line);
      last = line;
    }
  };
  const timer = setInterval(() => {
    asking = asking.then(ask);
  }, askEvery).unref();
  return async () => {
    clearInterval(timer);
    await asking;
  };
}

/** For a command that may write: undefined where `--data` is no address of a bucket. Throws as BucketStore.open does. */
export async function openBucket({
  options,
  report,
  signal,
  say,
}: Opening): Promise<OpenedStore | undefined> {
  const { data } = options;
  if (data === undefined || !isBucketAddress(data)) return undefined;
  const { BucketStore } = await import('../../sae/store/remote/s3/bucketStore.ts');
  const { mountRemote } = await import('../../sae/store/remote/bringIn.ts');
  const store = await BucketStore.open({
    ...cacheOptions(),
    ...environment.s3,
    url: data,
    report,
    signal,
    isJob: environment.lease !== undefined,
  });
  if (store.unsent > 0)
    say(
      `${store.unsent} files that an earlier command could not send to '${store.url}' are sent with this one's.`,
    );
  const unmount = mountRemote(store);
  return {
    root: store.root,
    url: store.url,
    close: async () => {
      try {
        await store.close();
      } finally {
        unmount();
      }
    },
  };
}
