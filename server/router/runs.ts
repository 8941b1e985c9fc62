import { metricsInput } from '../contract/runs.ts';
import { nameInput } from '../contract/tokens.ts';
import { spacesOf, sweepsOf } from '../queries/elsewhere.ts';
import { matchings } from '../queries/matchings.ts';
import { reproducibility } from '../queries/reproducibility.ts';
import { runMetrics } from '../queries/runMetrics.ts';
import { getRun, listRuns } from '../queries/runs.ts';
import { procedure, router } from '../trpc.ts';

export const runsRouter = router({
  list: procedure.query(({ ctx }) => listRuns(ctx)),
  get: procedure.input(nameInput).query(({ ctx, input }) => getRun(ctx, input.name)),
  reproducibility: procedure.input(nameInput).query(({ ctx, input }) => reproducibility(ctx, input.name)),
  matchings: procedure.input(nameInput).query(({ ctx, input }) => matchings(ctx, input.name)),
  spaces: procedure.input(nameInput).query(({ ctx, input }) => spacesOf(ctx, input.name)),
  sweeps: procedure.input(nameInput).query(({ ctx, input }) => sweepsOf(ctx, input.name)),
  metrics: procedure.input(metricsInput).query(({ ctx, input }) => runMetrics(ctx, input)),
});
