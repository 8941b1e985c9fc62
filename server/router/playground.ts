import { steerInput, textFeaturesInput } from '../contract/playground.ts';
import { featuresOfText, steeredText } from '../queries/playground.ts';
import { procedure, router } from '../trpc.ts';

export const playgroundRouter = router({
  status: procedure.query(({ ctx }) => ctx.model.status()),
  features: procedure
    .input(textFeaturesInput)
    .query(({ ctx, input, signal }) => featuresOfText(ctx, input, signal)),
  steer: procedure
    .input(steerInput)
    .subscription(({ ctx, input, signal }) => steeredText(ctx, input, signal)),
});
