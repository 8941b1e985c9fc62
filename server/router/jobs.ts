import { tracked } from '@trpc/server';
import { jobInput, jobStartInput, jobWatchInput } from '../contract/jobs.ts';
import { estimateJob } from '../queries/jobEstimate.ts';
import { namesToImport } from '../queries/imports.ts';
import { procedure, router } from '../trpc.ts';

export const jobsRouter = router({
  list: procedure.query(({ ctx }) => ctx.jobs.list()),
  get: procedure.input(jobInput).query(({ ctx, input }) => ctx.jobs.get(input.id)),
  where: procedure.query(({ ctx }) => ctx.jobs.where),
  workers: procedure.query(({ ctx }) => ctx.jobs.workers()),
  estimate: procedure.input(jobStartInput).query(({ ctx, input }) => estimateJob(ctx, input)),
  imports: procedure.query(({ ctx }) => namesToImport(ctx)),
  start: procedure.input(jobStartInput).mutation(({ ctx, input }) => ctx.jobs.start(input)),
  cancel: procedure.input(jobInput).mutation(({ ctx, input }) => ctx.jobs.cancel(input.id)),
  watch: procedure.input(jobWatchInput).subscription(async function* ({ ctx, input, signal }) {
    for await (const [id, event] of ctx.jobs.watch(input, signal)) yield tracked(id, event);
  }),
});
