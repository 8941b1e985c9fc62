/** Copies a store that lies elsewhere into a data folder. */
import { createHash } from 'node:crypto';
import { rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { silent, type Report } from '../../progress.ts';
import { explainWriteError } from '../explainWriteError.ts';
import type { StoreLayout } from '../layout.ts';
import type { RemoteFile, RemoteSource } from './remoteSource.ts';
import { makeFolder } from '../makeFolder.ts';

export interface FetchOptions {
  source: RemoteSource;
  /** Where to copy it. */
  store: StoreLayout;
  report?: Report;
}

export interface FetchedStore {
  /** The address, as it was read. */
  url: string;
  files: number;
  bytes: number;
  /** Files that were there already, with the same content. */
  kept: number;
}

/** Files at a time. */
const atOnce = 4;

/**
 * Fetches what isn't there yet; stopped, it goes on where it ended. Throws as the source does, 'not_found' where there is nothing, and
 * 'conflict' where a file of another content is in the way.
 */
export async function fetchStore(options: FetchOptions): Promise<FetchedStore> {
  const { source, store, report = silent } = options;
  const files = await source.files();
  if (files.length === 0)
    throw new LazyscopeError('not_found', `There is no store at '${source.url}': check the address.`);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const waiting = [...files];
  let done = 0;
  let kept = 0;
  const fetchInTurn = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      try {
        if (await fetchFile(source, file, join(store.root, file.path))) kept++;
      } catch (error) {
        // The others stop as well.
        waiting.length = 0;
        throw error;
      }
      done += file.bytes;
      report({ stage: 'fetch', done, total: bytes, unit: 'bytes' });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, fetchInTurn));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  return { url: source.url, files: files.length, bytes, kept };
}

/** True where the file was there. */
async function fetchFile(source: RemoteSource, file: RemoteFile, place: string): Promise<boolean> {
  const found = await stat(place).catch(() => undefined);
  if (found) {
    if (found.isFile() && (await source.isSame(file, place))) return true;
    throw new LazyscopeError(
      'conflict',
      `'${place}' is there with another content than '${source.url}' has: choose another --data folder.`,
    );
  }
  try {
    makeFolder(dirname(place));
    const version = createHash('sha256').update(file.version).digest('hex').slice(0, 16);
    const partial = join(dirname(place), `.${basename(place)}.${version}.partial`);
    if (!(await source.download(file, partial)))
      throw new LazyscopeError(
        'not_found',
        `'${file.path}' was removed from '${source.url}' meanwhile: fetch it again.`,
      );
    await rename(partial, place);
  } catch (error) {
    throw explainWriteError(error, place);
  }
  return false;
}
