/** The features of a dictionary, a page at a time, with what comparisons and people add to them. */
import { listedFeatureTable } from '../../sae/spec/tables/features.ts';
import { rowAt } from '../../sae/store/columnRows.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureListInput, FeaturePage } from '../contract/features.ts';
import type { DictionaryReference, TokenText } from '../contract/tokens.ts';
import { modelOfRun } from './dictionaries.ts';
import { featureColumns } from './featureColumns.ts';
import { countedInARow, pageOfFeatures, promotedInARow } from './featureRows.ts';
import { textMatch } from './searchRows.ts';
import { textFilter } from './textFilter.ts';

export async function featurePage(
  server: ServerContext,
  run: RunManifest,
  input: FeatureListInput & { threshold?: number | undefined },
): Promise<FeaturePage> {
  const { text } = input.filter;
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const labels = await server.labels.of(input);
  const { run: name, seed } = input;
  const matches = text === undefined ? undefined : (await server.search.find(text, [{ run: name, seed }])).found.at(0); // prettier-ignore
  const filter = text === undefined ? undefined : textFilter(matches, { text, tokens, labels });
  return pageOfFeatures(input, {
    columns: await featureColumns(server, input),
    stability: await server.seedStability.stability(input, run.config.width, input.threshold),
    tokens,
    labels,
    onList: await latentsOnList(server, input),
    found: filter && {
      ...filter,
      match: matches && ((latent) => textMatch(matches, latent, tokens)),
    },
  });
}

/** The latents of a dictionary that are on the list of the filter; undefined without one. */
async function latentsOnList(
  server: ServerContext,
  { run, seed, filter }: FeatureListInput,
): Promise<ReadonlySet<number> | undefined> {
  if (filter.list === undefined) return undefined;
  const members = await server.lists.members(filter.list);
  return new Set(members.filter((one) => one.run === run && one.seed === seed).map(({ latent }) => latent));
}

/** Density, promoted tokens and commonest tokens of some latents of one dictionary, which must be indexed. */
export async function featureGlances(
  server: ServerContext,
  run: RunManifest,
  dictionary: DictionaryReference,
  latents: readonly number[],
): Promise<
  Map<number, { density: number; maxActivation: number; promoted: TokenText[]; topTokens: TokenText[] }>
> {
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const columns = await featureColumns(server, dictionary);
  return new Map(
    latents
      .filter((latent) => latent < columns.latent.length)
      .map((latent) => {
        const { density, maxActivation, promotedTokens, topTokens } = rowAt(
          listedFeatureTable,
          columns,
          latent,
        );
        return [
          latent,
          {
            density,
            maxActivation,
            promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)),
            topTokens: tokens.texts(topTokens.slice(0, countedInARow)),
          },
        ];
      }),
  );
}
