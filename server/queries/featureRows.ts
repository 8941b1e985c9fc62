/** Rows of the feature table out of columns in memory: order, filters and pages. Nothing here needs a disk or a database, so that a published site has it too. */
import type { DictionaryStability } from '../../sae/comparison/dictionaryStability.ts';
import { listedFeatureTable } from '../../sae/spec/tables/features.ts';
import { rowAt } from '../../sae/store/columnRows.ts';
import type { ListColumn } from '../../sae/store/vectorColumns.ts';
import type { FeatureListInput, FeaturePage, FeatureRow } from '../contract/features.ts';
import type { TextMatch } from '../contract/search.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import type { FeatureColumns } from './featureColumns.ts';
import { orderedLatents } from './featureOrder.ts';
import type { TokenReader } from './tokenReader.ts';

/** Tokens that a row of a list shows. */
export const promotedInARow = 5;
export const countedInARow = 5;

/** What the latents are chosen and shown by. */
export interface FeatureTableParts {
  columns: FeatureColumns;
  stability: DictionaryStability;
  tokens: TokenReader;
  labels: DictionaryLabels;
  /** Those on the list of the filter; undefined without one. */
  onList: ReadonlySet<number> | undefined;
  /** What the text of the filter found; undefined without one. */
  found: FoundByText | undefined;
}

export interface FoundByText {
  latents: ReadonlySet<number>;
  /** Tokens that a latent may have instead. */
  tokens: readonly number[];
  /** The best example of a latent; undefined where examples were not searched. */
  match: ((latent: number) => TextMatch | null) | undefined;
}

/** A page of the latents that pass the filter. */
export function pageOfFeatures(
  { sort, order, offset, limit, filter }: FeatureListInput,
  parts: FeatureTableParts,
): FeaturePage {
  const { columns, stability, tokens, labels, found } = parts;
  const passes = conditions(filter, parts);
  const page: number[] = [];
  let total = 0;
  const sharedWith = stability.compared > 0 ? stability.sharedWith : undefined;
  for (const latent of orderedLatents(columns, { sort, order }, sharedWith))
    if (passes.every((pass) => pass(latent))) {
      if (total >= offset && page.length < limit) page.push(latent);
      total++;
    }
  return {
    total,
    rows: page.map((latent) => ({
      ...featureRow(latent, { columns, stability, tokens, label: labels.name(latent) }),
      match: found?.match?.(latent) ?? null,
    })),
    searched: found ? (found.match ? 'examples, tokens and labels' : 'tokens and labels') : null,
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
function conditions(
  filter: FeatureListInput['filter'],
  { found, labels, onList, tokens, columns, stability }: FeatureTableParts,
): ((latent: number) => boolean)[] {
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
