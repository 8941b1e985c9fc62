/** The services that all queries and jobs of one server share. */
import type { SearchStore } from '../sae/features/searchStore.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import type { FollowedMetrics } from '../sae/training/thinnedMetrics.ts';
import type { AuditLog } from './audit.ts';
import type { Role } from './guard.ts';
import type { Commands } from './jobs/commands.ts';
import type { Queue } from './jobs/queue.ts';
import type { Log } from './log.ts';
import type { ColumnCache } from './columnCache.ts';
import type { ManifestCache } from './manifestCache.ts';
import type { ServerMetrics } from './metrics.ts';
import type { PageCache } from './pageCache.ts';
import type { LabelBook } from './queries/labelBook.ts';
import type { ListBook } from './queries/listBook.ts';
import type { ModelWorker } from './playground/modelWorker.ts';
import type { TableAnswers } from './tableAnswers.ts';
import type { SeedStability } from './queries/seedStability.ts';
import type { TokenTexts } from './queries/tokenTexts.ts';

export interface ServerContext {
  store: StoreLayout;
  /** Where the store lies that `store` is a cache of; undefined for a store on this disk. Nothing but what `changeable` says can be changed there. */
  publishedAt: string | undefined;
  /** Of a store that lies elsewhere, the parts of the API that may change something all the same. */
  changeable: readonly string[];
  /** Folders whose subfolders are models: the store's own, then those that came with the package. */
  modelFolders: readonly string[];
  version: string;
  /** Reads runs, captures, comparisons, evaluations and reports. */
  manifests: ManifestCache;
  /** Reads tables that are looked into often. */
  columns: ColumnCache;
  /** Reads the files from which pages of features are shown. */
  pages: PageCache;
  /** Reads metrics for charts. */
  curves: FollowedMetrics;
  /** Reads the last rows of metrics. */
  progress: FollowedMetrics;
  tokens: TokenTexts;
  seedStability: SeedStability;
  search: SearchStore;
  labels: LabelBook;
  lists: ListBook;
  jobs: Queue;
  /** Keeps a language model in a process of its own. */
  model: ModelWorker;
  /** Runs commands of the command line in child processes. */
  commands: Commands;
  /** Records what clients change. */
  audit: AuditLog;
  /** Hands whole tables over to readers, who may be slow. */
  tables: TableAnswers;
  metrics: ServerMetrics;
  log: Log;
}

/** Who sent a request. */
export interface Caller {
  role: Role;
  /** The address it came from; null when the connection has already ended. */
  address: string | null;
  requestId: string;
}

/** What a procedure gets: the services, and who called. */
export interface CallContext extends ServerContext {
  caller: Caller;
}
