import { labelInput, labelListInput } from '../contract/labels.ts';
import { procedure, router } from '../trpc.ts';

export const labelsRouter = router({
  list: procedure.input(labelListInput).query(({ ctx, input }) => ctx.labels.list(input)),
  set: procedure.input(labelInput).mutation(({ ctx, input }) => ctx.labels.set(input)),
});
