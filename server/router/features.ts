import { featureInput, featureListInput } from '../contract/features.ts';
import { getFeature, listFeatures } from '../queries/features.ts';
import { latentFlows } from '../queries/matchings.ts';
import { latentReproducibility } from '../queries/reproducibility.ts';
import { procedure, router } from '../trpc.ts';

export const featuresRouter = router({
  list: procedure.input(featureListInput).query(({ ctx, input }) => listFeatures(ctx, input)),
  get: procedure.input(featureInput).query(({ ctx, input }) => getFeature(ctx, input)),
  reproducibility: procedure.input(featureInput).query(({ ctx, input }) => latentReproducibility(ctx, input)),
  flows: procedure.input(featureInput).query(({ ctx, input }) => latentFlows(ctx, input)),
});
