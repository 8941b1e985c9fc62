/** The services that all queries and jobs of one server share. */
import type { StoreLayout } from '../sae/store/layout.ts';
import type { Commands } from './jobs/commands.ts';
import type { JobQueue } from './jobs/jobQueue.ts';
import type { Log } from './log.ts';
import type { ManifestCache } from './manifestCache.ts';
import type { LabelBook } from './queries/labelBook.ts';
import type { SeedStability } from './queries/seedStability.ts';
import type { TokenTexts } from './queries/tokenTexts.ts';

export interface ServerContext {
  store: StoreLayout;
  /** Folders whose subfolders are models: the store's own, then those that came with the package. */
  modelFolders: readonly string[];
  version: string;
  /** Reads runs, captures, comparisons, evaluations and reports. */
  manifests: ManifestCache;
  tokens: TokenTexts;
  seedStability: SeedStability;
  labels: LabelBook;
  jobs: JobQueue;
  /** Runs commands of the command line in child processes. */
  commands: Commands;
  log: Log;
}
