import { isLazyscopeError } from '../../sae/errors.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureInput } from '../contract/features.ts';
import { runManifest } from './dictionaries.ts';

/**
 * Says of many features which exist. The answer is undefined for one that does and otherwise why it doesn't; each run's manifest is
 * read once.
 */
export async function missingLatents(
  server: Pick<ServerContext, 'store' | 'manifests'>,
  features: readonly FeatureInput[],
): Promise<(string | undefined)[]> {
  const configs = new Map<string, { width: number; seeds: readonly number[] } | undefined>();
  for (const { run } of features)
    if (!configs.has(run)) {
      const manifest = await runManifest(server, run).catch((error: unknown) => {
        if (isLazyscopeError(error)) return undefined;
        throw error;
      });
      configs.set(run, manifest?.config);
    }
  return features.map(({ run, seed, latent }) => {
    const config = configs.get(run);
    if (!config) return `there is no run '${run}'`;
    if (!config.seeds.includes(seed)) return `run '${run}' has no seed ${seed}`;
    return latent < config.width ? undefined : `run '${run}' has no latents beyond ${config.width - 1}`;
  });
}
