import { neuronListInput, sparsityCompareInput } from '../contract/sparsity.ts';
import { nameInput } from '../contract/tokens.ts';
import { compareSparsity, getSparsity, listNeurons, listSparsity } from '../queries/sparsity.ts';
import { procedure, router } from '../trpc.ts';

export const sparsityRouter = router({
  list: procedure.query(({ ctx }) => listSparsity(ctx)),
  get: procedure.input(nameInput).query(({ ctx, input }) => getSparsity(ctx, input.name)),
  neurons: procedure.input(neuronListInput).query(({ ctx, input }) => listNeurons(ctx, input)),
  compare: procedure.input(sparsityCompareInput).query(({ ctx, input }) => compareSparsity(ctx, input.names)),
});
