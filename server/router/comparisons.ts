import { matchListInput, orphanInput, stabilityInput } from '../contract/comparisons.ts';
import { nameInput } from '../contract/tokens.ts';
import { getComparison, listComparisons, listOrphans } from '../queries/comparisons.ts';
import { listMatches } from '../queries/matches.ts';
import { stability } from '../queries/stability.ts';
import { procedure, router } from '../trpc.ts';

export const comparisonsRouter = router({
  list: procedure.query(({ ctx }) => listComparisons(ctx)),
  get: procedure.input(nameInput).query(({ ctx, input }) => getComparison(ctx, input.name)),
  matches: procedure.input(matchListInput).query(({ ctx, input }) => listMatches(ctx, input)),
  stability: procedure.input(stabilityInput).query(({ ctx, input }) => stability(ctx, input)),
  orphans: procedure.input(orphanInput).query(({ ctx, input }) => listOrphans(ctx, input)),
});
