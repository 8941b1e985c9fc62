import type { Report } from '../../sae/progress.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import type { ServerContext } from '../context.ts';
import type { AnswerFiles } from './answerFiles.ts';

/** What the answers of a site are about, and where they go. */
export interface AnswerOptions {
  /** A store of the published runs alone. */
  server: ServerContext;
  runs: readonly RunManifest[];
  comparisons: readonly ComparisonManifest[];
  reports: readonly SparsityReport[];
  files: AnswerFiles;
  /** The folder of the tables, seen from the pages; undefined when they are not put beside them. */
  tablesAt: string | undefined;
  report: Report;
  signal?: AbortSignal | undefined;
}
