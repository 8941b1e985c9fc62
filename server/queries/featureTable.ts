/** The features of a dictionary, a page at a time, with what comparisons and people add to them. */
import type { DictionaryStability } from '../../sae/comparison/storedStability.ts';
import { listedFeatureTable } from '../../sae/spec/tables/features.ts';
import { rowAt } from '../../sae/store/readColumns.ts';
import type { ListColumn } from '../../sae/store/vectorColumns.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { ServerContext } from '../context.ts';
import type { FeatureListInput, FeaturePage, FeatureRow } from '../contract/features.ts';
import type { DictionaryReference, TokenText } from '../contract/tokens.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import { modelOfRun } from './dictionaries.ts';
import { featureColumns, type FeatureColumns } from './featureColumns.ts';
import { orderedLatents } from './featureOrder.ts';
import { textMatch } from './search.ts';
import { textFilter, type TextFilter } from './textFilter.ts';
import type { TokenReader } from './tokenTexts.ts';

const promotedInARow = 5;
const countedInARow = 5;

export async function featurePage(
  server: ServerContext,
  run: RunManifest,
  input: FeatureListInput & { threshold?: number | undefined },
): Promise<FeaturePage> {
  const { offset, limit, filter } = input;
  const tokens = server.tokens.of(await modelOfRun(server, run));
  const labels = await server.labels.of(input);
  const found =
    filter.text === undefined
      ? undefined
      : await textFilter(server, input, { text: filter.text, tokens, labels });
  const columns = await featureColumns(server, input);
  const stability = await server.seedStability.stability(input, run.config.width, input.threshold);
  const passes = conditions({
    filter,
    found,
    labels,
    onList: await latentsOnList(server, input),
    tokens,
    columns,
    stability,
  });
  const page: number[] = [];
  let total = 0;
  for (const latent of orderedLatents(
    columns,
    input,
    stability.compared > 0 ? stability.sharedWith : undefined,
  ))
    if (passes.every((pass) => pass(latent))) {
      if (total >= offset && page.length < limit) page.push(latent);
      total++;
    }
  return {
    total,
    rows: page.map((latent) => ({
      ...featureRow(latent, { columns, stability, tokens, label: labels.name(latent) }),
      match: found?.matches ? textMatch(found.matches, latent, tokens) : null,
    })),
    searched: found ? (found.matches ? 'examples, tokens and labels' : 'tokens and labels') : null,
  };
}

interface RowParts {
  columns: FeatureColumns;
  stability: DictionaryStability;
  tokens: TokenReader;
  label: string | null;
}

/** One latent as lists show it. */
export function featureRow(
  latent: number,
  { columns, stability, tokens, label }: RowParts,
): Omit<FeatureRow, 'match'> {
  const { promotedTokens, topTokens, topTokenCounts, ...row } = rowAt(listedFeatureTable, columns, latent);
  return {
    ...row,
    stability: shareOfSeeds(stability, latent),
    promoted: tokens.texts(promotedTokens.slice(0, promotedInARow)),
    topTokens: tokens
      .texts(topTokens.slice(0, countedInARow))
      .map((text, i) => ({ ...text, count: topTokenCounts[i] })),
    label,
  };
}

function shareOfSeeds({ compared, sharedWith }: DictionaryStability, latent: number): number | null {
  return compared > 0 ? sharedWith[latent] / compared : null;
}

/** What a latent must pass, one function for each part of the filter. */
function conditions({
  filter,
  found,
  labels,
  onList,
  tokens,
  columns,
  stability,
}: Pick<RowParts, 'columns' | 'stability' | 'tokens'> & {
  filter: FeatureListInput['filter'];
  found: TextFilter | undefined;
  labels: DictionaryLabels;
  onList: ReadonlySet<number> | undefined;
}): ((latent: number) => boolean)[] {
  const { density, dead } = columns;
  // Nothing is inside a bound on what is not known.
  const stabilityOf = (latent: number) => shareOfSeeds(stability, latent) ?? Number.NaN;
  const all: ((latent: number) => boolean)[] = [];
  const where = <Value>(value: Value | undefined, of: (value: Value) => (latent: number) => boolean) => {
    if (value !== undefined) all.push(of(value));
  };
  where(filter.latent, (one) => (latent) => latent === one);
  where(filter.latents, (some) => {
    const wanted = new Set(some);
    return (latent) => wanted.has(latent);
  });
  where(filter.minDensity, (least) => (latent) => density[latent] >= least);
  where(filter.maxDensity, (most) => (latent) => density[latent] <= most);
  where(filter.dead, (wanted) => (latent) => (dead[latent] === 1) === wanted);
  where(filter.minStability, (least) => (latent) => stabilityOf(latent) >= least);
  where(filter.maxStability, (most) => (latent) => stabilityOf(latent) <= most);
  where(filter.token, (token) => {
    const having = withTokens(columns, tokens.find(token));
    return (latent) => having[latent] === 1;
  });
  where(filter.labelled, (wanted) => {
    const labelled = new Set(labels.latents());
    return (latent) => labelled.has(latent) === wanted;
  });
  where(onList, (latents) => (latent) => latents.has(latent));
  where(found, ({ latents, tokens: ids }) => {
    const having = withTokens(columns, ids);
    return (latent) => latents.has(latent) || having[latent] === 1;
  });
  return all;
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

/** [latents]: 1 for those that promote one of the tokens, or fire on it often. */
function withTokens(
  { latent, promotedTokens, topTokens }: FeatureColumns,
  ids: readonly number[],
): Uint8Array {
  const having = new Uint8Array(latent.length);
  if (ids.length === 0) return having;
  const wanted = new Set(ids);
  const mark = ({ values, offsets }: ListColumn) => {
    for (let row = 0; row < having.length; row++)
      for (let at = offsets[row]; at < offsets[row + 1]; at++) if (wanted.has(values[at])) having[row] = 1;
  };
  mark(promotedTokens);
  mark(topTokens);
  return having;
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
