import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import { placeOf } from '../../sae/spec/hooksOf.ts';
import { layerShareTable } from '../../sae/spec/tables/layerShares.ts';
import { someOf } from '../../sae/spec/tables/table.ts';
import { listAt } from '../../sae/store/columnRows.ts';
import { queryRows } from '../../sae/store/queryRows.ts';
import { columnList, storedTable } from '../../sae/store/tableSql.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureDetail, FeatureInput, FeatureListInput, FeaturePage } from '../contract/features.ts';
import { counterparts } from './counterparts.ts';
import { indexedDictionary, modelOfRun } from './dictionaries.ts';
import { byBand } from './examples.ts';
import { featureColumns } from './featureColumns.ts';
import { storedPage } from './featureDetail.ts';
import { featureRow } from './featureRows.ts';
import { featureGlances, featurePage } from './featureTable.ts';

export async function listFeatures(server: ServerContext, input: FeatureListInput): Promise<FeaturePage> {
  return featurePage(server, await indexedDictionary(server, input), input);
}

const layerColumns = someOf(layerShareTable, 'hook', 'norm', 'share');

/** Where a crosscoder's latent lives; null for a latent of something else. */
async function layersOf(
  server: ServerContext,
  { run, seed, latent }: FeatureInput,
): Promise<FeatureDetail['layers']> {
  const path = server.store.layerShares(run, seed);
  if (!existsSync(path)) return null;
  return queryRows(
    layerColumns,
    `SELECT ${columnList(layerColumns)} FROM ${storedTable(layerShareTable)} WHERE latent = $latent ORDER BY layer`,
    { path, latent },
  );
}

export async function getFeature(server: ServerContext, feature: FeatureInput): Promise<FeatureDetail> {
  const { run, seed, latent } = feature;
  const manifest = await indexedDictionary(server, feature);
  const columns = await featureColumns(server, feature);
  if (latent >= columns.latent.length)
    throw new LazyscopeError(
      'not_found',
      `Run '${run}' has no latent ${latent}: it has ${manifest.config.width}, from 0.`,
    );
  const { detail, examples } = await storedPage(server, feature);
  const model = await modelOfRun(server, manifest);
  const tokens = server.tokens.of(model);
  const effects = (ids: number[], logits: number[]) =>
    tokens.texts(ids).map((token, i) => ({ ...token, logit: logits[i] }));
  const [glances, others, stability, labels, written, automaticLabels, lists, layers] = await Promise.all([
    featureGlances(server, manifest, feature, detail.neighbours),
    counterparts(server, manifest, feature),
    server.seedStability.stability(feature, manifest.config.width),
    server.labels.of(feature),
    server.labels.written(feature),
    server.labels.automatic(feature),
    server.lists.of(feature),
    layersOf(server, feature),
  ]);
  const { architecture, width, capture } = manifest.config;
  const counts = listAt(columns.topTokenCounts, latent);
  const hook = placeOf(manifest.config);
  return {
    ...featureRow(latent, { columns, stability, tokens, label: labels.name(latent) }),
    run,
    seed,
    architecture,
    hook,
    width,
    capture,
    model: model?.name ?? null,
    biasEncoder: detail.biasEncoder,
    promoted: effects(listAt(columns.promotedTokens, latent), detail.promotedLogits),
    suppressed: effects(detail.suppressedTokens, detail.suppressedLogits),
    topTokens: tokens
      .texts(listAt(columns.topTokens, latent))
      .map((token, i) => ({ ...token, count: counts[i] })),
    neighbours: detail.neighbours.map((neighbour, i) => ({
      latent: neighbour,
      cosine: detail.neighbourCosines[i],
      density: glances.get(neighbour)?.density ?? 0,
      promoted: glances.get(neighbour)?.promoted ?? [],
      label: labels.name(neighbour),
    })),
    examples: byBand(examples, tokens),
    counterparts: others,
    comparedSeeds: stability.compared,
    layers,
    note: written?.note || null,
    labelled: labels.get(latent) ?? null,
    automaticLabels,
    lists,
  };
}
