import { labelInput, labelListInput } from '../contract/labels.ts';
import { setLabel } from '../queries/setLabel.ts';
import { procedure, router } from '../trpc.ts';

export const labelsRouter = router({
  list: procedure.input(labelListInput).query(({ ctx, input }) => ctx.labels.list(input)),
  set: procedure.input(labelInput).mutation(({ ctx, input }) => setLabel(ctx, input)),
});
