/** How a store that lies elsewhere is opened. */
import type { Report } from '../../progress.ts';
import type { HttpSourceOptions } from './httpSource.ts';
import type { RemoteSource } from './remoteSource.ts';

interface CacheOptions {
  /** The folder of all caches. */
  caches: string;
  /** Bytes of fetched files, beside the manifests. */
  mostBytes: number;
  /** Milliseconds in which a file that was read stays: whoever asked for it may not have opened it yet. A minute when absent. */
  staysFor?: number;
  report?: Report;
}

export interface CachedStoreOptions extends HttpSourceOptions, CacheOptions {
  /** The address of the store. */
  url: string;
}

export interface SourceOptions extends CacheOptions {
  source: RemoteSource;
  /** A folder for each process that has the store open for the same purpose; without it there is one folder for one process. */
  purpose?: string;
  /** Whether what was changed in the folder and never sent is kept, for the next process to send; otherwise the store's own files come back. */
  keepsChanges?: boolean;
}
