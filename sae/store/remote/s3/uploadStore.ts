/** Copies a data folder into a bucket. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { LazyscopeError } from '../../../errors.ts';
import { pause } from '../../../pause.ts';
import { silent, type Report } from '../../../progress.ts';
import type { StoreLayout } from '../../layout.ts';
import { isManifest } from '../isManifest.ts';
import { publishable } from '../storeFiles.ts';
import { Turns } from '../turns.ts';
import type { Bucket } from './bucket.ts';
import { ObjectChanged } from './bucketErrors.ts';
import { hashOf } from './openFile.ts';
import { tryConditions } from './tryConditions.ts';

/** Files at a time. */
const atOnce = 6;

export interface UploadOptions {
  bucket: Bucket;
  store: StoreLayout;
  report?: Report;
  signal?: AbortSignal | undefined;
}

export interface UploadedStore {
  url: string;
  files: number;
  bytes: number;
  /** Files that were there already, with the same content. */
  kept: number;
  /** Files whose names can't be kept in a published store. */
  leftOut: string[];
}

/**
 * Sends what isn't there yet, manifests last; stopped, it goes on where it ended. Throws 'conflict' where another content is there, and as `Bucket.put`
 * does.
 */
export async function uploadStore({
  bucket,
  store,
  report = silent,
  signal,
}: UploadOptions): Promise<UploadedStore> {
  const { paths, leftOut } = await publishable(store.root);
  await tryConditions(bucket);
  const there = new Set((await bucket.list()).map(({ key }) => key));
  let bytes = 0;
  let kept = 0;
  let done = 0;
  const send = async (path: string) => {
    const fd = openSync(join(store.root, path), 'r');
    try {
      const { size } = fstatSync(fd);
      const sha256 = await hashOf(fd, 0, size);
      if (there.has(path) && (await bucket.head(path))?.sha256 === sha256) kept++;
      else await bucket.put(path, { fd, bytes: size, sha256 }, 'absent');
      bytes += size;
    } catch (error) {
      if (!(error instanceof ObjectChanged)) throw error;
      throw new LazyscopeError(
        'conflict',
        `'${bucket.shown(path)}' is there with another content: choose another prefix.`,
        { cause: error },
      );
    } finally {
      closeSync(fd);
    }
    report({ stage: 'upload', done: ++done, total: paths.length, unit: 'files' });
    await pause(signal, 'uploading the store');
  };
  // Manifests vouch for what lies beside them.
  await severalAtOnce(
    paths.filter((path) => !isManifest(path)),
    send,
  );
  await severalAtOnce(paths.filter(isManifest), send);
  return { url: bucket.address.url, files: paths.length, bytes, kept, leftOut };
}

/** Throws what the first that failed came to, when none is being sent any more. */
async function severalAtOnce(paths: readonly string[], send: (path: string) => Promise<void>): Promise<void> {
  const turns = new Turns(atOnce);
  const failures: unknown[] = [];
  await Promise.all(
    paths.map((path) =>
      turns.take(async () => {
        if (failures.length === 0) await send(path).catch((error: unknown) => failures.push(error));
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
