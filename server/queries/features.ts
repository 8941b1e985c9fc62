import type { ServerContext } from '../context.ts';
import type { FeatureDetail, FeatureInput, FeatureListInput, FeatureRow } from '../contract/features.ts';
import type { Page } from '../contract/tokens.ts';
export declare function listFeatures(
  server: ServerContext,
  input: FeatureListInput,
): Promise<Page<FeatureRow>>;
export declare function getFeature(server: ServerContext, input: FeatureInput): Promise<FeatureDetail>;
