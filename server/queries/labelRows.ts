/** Labels of many dictionaries, or the features of a list with theirs: filters, order and pages. Nothing here needs a disk or a database, so that a published site has it too. */
import { foldWord } from '../../sae/tokens/words.ts';
import { printSource } from '../../sae/spec/labelSources.ts';
import type { FeatureInput } from '../contract/features.ts';
import type { Label } from '../contract/label.ts';
import type { LabelExportInput, LabelPage, LabelPageInput, LabelRow } from '../contract/labels.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';

export type LabelFilter = Omit<LabelExportInput, 'format'>;

/** A feature with its label, if it has one. */
export type FoundFeature = FeatureInput & { label: Label | undefined };

/** What features are chosen from. */
export interface LabelParts {
  /** Those with a label of any kind, by run and seed. */
  dictionaries: readonly LabelledDictionary[];
  /** The features of the filter's list, in the order in which they joined it; undefined without one. */
  members: readonly FeatureInput[] | undefined;
}

export interface LabelledDictionary extends DictionaryReference {
  labels: DictionaryLabels;
}

/** A page of what passes the filter. `listsOf` tells the lists that each feature is on. */
export async function pageOfLabels(
  input: LabelPageInput,
  parts: LabelParts,
  listsOf: (features: readonly FeatureInput[]) => Promise<string[][]>,
): Promise<LabelPage> {
  const { sort, order, offset, limit } = input;
  const found = featuresWithLabels(input, parts);
  const sorted = sort === 'feature' && order === 'asc' ? found : found.sort(comparison(sort, order));
  const page = sorted.slice(offset, offset + limit);
  const lists = await listsOf(page);
  return {
    total: found.length,
    rows: page.map((one, i) => rowOf(one, lists[i])),
    counts: countsBySource(parts),
  };
}

/** What passes the filter, by run, seed and latent; the features of a list in the order in which they joined it. */
export function featuresWithLabels(
  filter: LabelFilter,
  { dictionaries, members }: LabelParts,
): FoundFeature[] {
  const within = ({ run, seed }: DictionaryReference) =>
    (filter.run ?? run) === run && (filter.seed ?? seed) === seed;
  const passes = labelFilter(filter);
  if (members) {
    const labelsOf = new Map(dictionaries.map(({ run, seed, labels }) => [`${run}/${seed}`, labels]));
    return members
      .filter(within)
      .map(({ run, seed, latent }) => ({
        run,
        seed,
        latent,
        label: labelsOf.get(`${run}/${seed}`)?.get(latent),
      }))
      .filter(({ label }) => passes(label));
  }
  return dictionaries.filter(within).flatMap(({ run, seed, labels }) =>
    [...candidates(labels, filter.text)]
      .filter(passes)
      .sort((a, b) => a.latent - b.latent)
      .map((label) => ({ run, seed, latent: label.latent, label })),
  );
}

/** Labels with the words, and all that have a note, which may have the text. */
function* candidates(labels: DictionaryLabels, text: string | undefined): Iterable<Label> {
  if (text === undefined) {
    yield* labels.all();
    return;
  }
  const named = new Set(labels.withWords(text));
  const folded = foldWord(text);
  for (const label of labels.all())
    if (named.has(label.latent) || (label.note !== '' && foldWord(label.note).includes(folded))) yield label;
}

/** What the text asks is asked where labels are looked up, except on lists, whose features are few. */
function labelFilter({ source, text, list }: LabelFilter): (label: Label | undefined) => boolean {
  const folded = text === undefined || list === undefined ? undefined : foldWord(text);
  return (label) => {
    if (source !== undefined && label?.source.kind !== source) return false;
    return (
      folded === undefined ||
      (label !== undefined && foldWord(`${label.label} ${label.note}`).includes(folded))
    );
  };
}

function countsBySource({ dictionaries }: LabelParts): LabelPage['counts'] {
  const counts = { hand: 0, data: 0, endpoint: 0, carried: 0, imported: 0 };
  for (const { labels } of dictionaries) for (const { source } of labels.all()) counts[source.kind]++;
  return counts;
}

function rowOf({ run, seed, latent, label }: FoundFeature, lists: string[]): LabelRow {
  return {
    run,
    seed,
    latent,
    label: label?.label ?? null,
    note: label?.note ?? '',
    updatedAt: label?.updatedAt ?? null,
    source: label?.source ?? null,
    detection: label?.detection ?? null,
    fuzzing: label?.fuzzing ?? null,
    lists,
  };
}

/** What has no value to sort by comes last in either order. */
function comparison(
  sort: LabelPageInput['sort'],
  order: 'asc' | 'desc',
): (a: FoundFeature, b: FoundFeature) => number {
  const way = order === 'asc' ? 1 : -1;
  if (sort === 'feature') return (a, b) => way * byFeature(a, b);
  const value = ({ label }: FoundFeature): string | number | undefined => {
    if (!label) return undefined;
    switch (sort) {
      case 'label':
        return foldWord(label.label);
      case 'source':
        return printSource(label.source);
      case 'updatedAt':
        return label.updatedAt;
      default:
        return label[sort]?.balancedAccuracy;
    }
  };
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === undefined || y === undefined)
      return Number(x === undefined) - Number(y === undefined) || byFeature(a, b);
    return (x < y ? -way : x > y ? way : 0) || byFeature(a, b);
  };
}

function byFeature(a: FeatureInput, b: FeatureInput): number {
  return compareText(a.run, b.run) || a.seed - b.seed || a.latent - b.latent;
}

export const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
