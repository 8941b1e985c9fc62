import { listDatasets } from '../queries/datasets.ts';
import { procedure, router } from '../trpc.ts';

export const datasetsRouter = router({
  list: procedure.query(({ ctx }) => listDatasets(ctx)),
});
