/** All procedures that a client can call, with a router for each noun. */
import { capturesRouter } from './router/captures.ts';
import { comparisonsRouter } from './router/comparisons.ts';
import { datasetsRouter } from './router/datasets.ts';
import { featuresRouter } from './router/features.ts';
import { jobsRouter } from './router/jobs.ts';
import { labelsRouter } from './router/labels.ts';
import { listsRouter } from './router/lists.ts';
import { modelsRouter } from './router/models.ts';
import { overviewRouter } from './router/overview.ts';
import { playgroundRouter } from './router/playground.ts';
import { runsRouter } from './router/runs.ts';
import { searchRouter } from './router/search.ts';
import { sparsityRouter } from './router/sparsity.ts';
import { router } from './trpc.ts';

export const appRouter = router({
  overview: overviewRouter,
  models: modelsRouter,
  datasets: datasetsRouter,
  captures: capturesRouter,
  runs: runsRouter,
  features: featuresRouter,
  comparisons: comparisonsRouter,
  search: searchRouter,
  sparsity: sparsityRouter,
  playground: playgroundRouter,
  jobs: jobsRouter,
  labels: labelsRouter,
  lists: listsRouter,
});
/** The type of everything that a server answers, from which the client's types come. */
export type AppRouter = typeof appRouter;
