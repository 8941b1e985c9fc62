import { overview } from '../queries/overview.ts';
import { procedure, router } from '../trpc.ts';

export const overviewRouter = router({
  get: procedure.query(({ ctx }) => overview(ctx)),
});
