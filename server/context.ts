/** What the queries and jobs of one server share. */
import type { StoreLayout } from '../sae/store/layout.ts';
import type { JobQueue } from './jobs/queue.ts';
import type { Tables } from './queries/tables.ts';
import type { LabelBook } from './queries/labels.ts';
import type { TokenTexts } from './queries/tokenTexts.ts';
import type { Commands } from './jobs/command.ts';

export interface ServerContext {
  store: StoreLayout;
  /** Folders whose subfolders are models: the store's own, then those that came with the package. */
  modelFolders: readonly string[];
  version: string;
  /** SQL over the store's Parquet files. */
  tables: Tables;
  tokens: TokenTexts;
  labels: LabelBook;
  jobs: JobQueue;
  commands: Commands;
}
