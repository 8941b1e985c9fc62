/** The counterparts of a feature in other dictionaries, from all comparisons in which its dictionary is one of the two. */
import { existsSync } from 'node:fs';
import { sameConfiguration } from '../../sae/comparison/storedStability.ts';
import { matchTable } from '../../sae/spec/tables/matches.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import { rowAt } from '../../sae/store/columnRows.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { ServerContext } from '../context.ts';
import type { Counterpart, FeatureInput } from '../contract/features.ts';
import { modelOfRun } from './dictionaries.ts';
import { topExample } from './featureDetail.ts';
import { featureGlances } from './featureTable.ts';

const matched = someOf(
  matchTable,
  'latent',
  'decoderMatch',
  'decoderCosine',
  'encoderCosine',
  'shared',
  'activationCorrelation',
  'firingJaccard',
);

/** Counterparts in dictionaries of the same configuration come first; within both groups they are ordered by run and seed. */
export async function counterparts(
  server: ServerContext,
  own: RunManifest,
  feature: FeatureInput,
): Promise<Counterpart[]> {
  const comparisons = await server.seedStability.comparisonsOf(feature);
  const isOwn = (side: { run: string; seed: number }) =>
    side.run === feature.run && side.seed === feature.seed;
  const found = await Promise.all(
    comparisons
      .filter(({ a, b }) => !(isOwn(a) && isOwn(b)))
      .map(async (comparison) => {
        const side = isOwn(comparison.a) ? 'a' : 'b';
        const run = await server.seedStability.run(comparison[side === 'a' ? 'b' : 'a'].run);
        if (!run) return [];
        const row = await counterpart(server, feature.latent, { comparison, side, run });
        return [{ ...row, sameConfiguration: sameConfiguration(own, run) }];
      }),
  );
  return found
    .flat()
    .sort(
      (x, y) =>
        Number(y.sameConfiguration) - Number(x.sameConfiguration) ||
        x.run.localeCompare(y.run) ||
        x.seed - y.seed,
    );
}

interface Side {
  comparison: ComparisonManifest;
  /** Which of the comparison's two dictionaries the feature belongs to. */
  side: 'a' | 'b';
  /** The run of the other dictionary. */
  run: RunManifest;
}

async function counterpart(
  server: ServerContext,
  latent: number,
  { comparison, side, run }: Side,
): Promise<Omit<Counterpart, 'sameConfiguration'>> {
  const dictionary = side === 'a' ? comparison.b : comparison.a;
  const columns = await server.columns.of(server.store.comparisonMatches(comparison.name), matched);
  // The matching is one-to-one, so that for a latent of b at most one latent of a is found; −1 stands for none.
  const row = side === 'a' ? latent : columns.decoderMatch.indexOf(latent);
  const match = row >= 0 && row < columns.latent.length ? rowAt(matched, columns, row) : undefined;
  const other = match && (side === 'a' ? match.decoderMatch : match.latent);
  const found = match && other !== undefined && other >= 0 ? { ...match, other } : undefined;
  const indexed = existsSync(server.store.features(dictionary.run, dictionary.seed));
  const glance =
    found && indexed
      ? (await featureGlances(server, run, dictionary, [found.other])).get(found.other)
      : undefined;
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const example =
    found && indexed ? await topExample(server, { ...dictionary, latent: found.other }, tokens) : null;
  const labels = matched && (await server.labels.of(dictionary));
  return {
    ...dictionary,
    comparison: comparison.name,
    architecture: run.config.architecture,
    latent: found?.other ?? null,
    decoderCosine: found?.decoderCosine ?? null,
    encoderCosine: found?.encoderCosine ?? null,
    shared: found?.shared ?? false,
    activationCorrelation: found?.activationCorrelation ?? null,
    firingJaccard: found?.firingJaccard ?? null,
    density: glance?.density ?? null,
    promoted: glance?.promoted ?? [],
    label: (found && labels?.name(found.other)) ?? null,
    topExample: example,
  };
}
