import { normsInput } from '../contract/captures.ts';
import { nameInput } from '../contract/tokens.ts';
import { captureNorms, getCapture, listCaptures } from '../queries/captures.ts';
import { procedure, router } from '../trpc.ts';

export const capturesRouter = router({
  list: procedure.query(({ ctx }) => listCaptures(ctx)),
  get: procedure.input(nameInput).query(({ ctx, input }) => getCapture(ctx, input.name)),
  norms: procedure.input(normsInput).query(({ ctx, input }) => captureNorms(ctx, input.name, input.hook)),
});
