import { searchInput } from '../contract/search.ts';
import { searchFeatures } from '../queries/search.ts';
import { procedure, router } from '../trpc.ts';

export const searchRouter = router({
  find: procedure.input(searchInput).query(({ ctx, input }) => searchFeatures(ctx, input)),
});
