import { generateInput, hooksInput } from '../contract/models.ts';
import { checkHooks } from '../queries/modelHooks.ts';
import { generateText, listModels } from '../queries/models.ts';
import { procedure, router } from '../trpc.ts';

export const modelsRouter = router({
  list: procedure.query(({ ctx }) => listModels(ctx)),
  hooks: procedure.input(hooksInput).query(({ ctx, input }) => checkHooks(ctx, input)),
  generate: procedure.input(generateInput).mutation(({ ctx, input }) => generateText(ctx, input)),
});
