import { generateInput } from '../contract/models.ts';
import { generateText, listModels } from '../queries/models.ts';
import { procedure, router } from '../trpc.ts';

export const modelsRouter = router({
  list: procedure.query(({ ctx }) => listModels(ctx)),
  generate: procedure.input(generateInput).mutation(({ ctx, input }) => generateText(ctx, input)),
});
