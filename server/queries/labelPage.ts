/** All labels of all runs and seeds, a page at a time; or the features of a list with theirs. */
import { existsSync } from 'node:fs';
import { foldWord } from '../../sae/tokens/words.ts';
import { labelMethods } from '../../sae/spec/tables/labels.ts';
import { printSource } from '../../sae/spec/labelSources.ts';
import type { ServerContext } from '../context.ts';
import type { Label } from '../contract/label.ts';
import type { LabelExportInput, LabelPage, LabelPageInput, LabelRow } from '../contract/labels.ts';
import type { FeatureInput } from '../contract/features.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import { runManifests } from './dictionaries.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';

type Filter = Omit<LabelExportInput, 'format'>;

/** A feature with its label, if it has one. */
type Found = FeatureInput & { label: Label | undefined };

export async function labelPage(server: ServerContext, input: LabelPageInput): Promise<LabelPage> {
  const { sort, order, offset, limit } = input;
  const found = await labelledFeatures(server, input);
  const sorted = sort === 'feature' && order === 'asc' ? found : found.sort(comparison(sort, order));
  const page = sorted.slice(offset, offset + limit);
  const lists = await server.lists.ofEach(page);
  return {
    total: found.length,
    rows: page.map((one, i) => rowOf(one, lists[i])),
    counts: await countsBySource(server),
  };
}

/** What passes the filter, by run, seed and latent; the features of a list in the order in which they joined it. */
export async function labelledFeatures(server: ServerContext, filter: Filter): Promise<Found[]> {
  const within = ({ run, seed }: DictionaryReference) =>
    (filter.run ?? run) === run && (filter.seed ?? seed) === seed;
  const passes = labelFilter(filter);
  if (filter.list !== undefined) {
    const members = (await server.lists.members(filter.list)).filter(within);
    const found: Found[] = [];
    for (const member of members) {
      const label = (await server.labels.of(member)).get(member.latent);
      if (passes(label)) found.push({ ...member, label });
    }
    return found;
  }
  const found: Found[] = [];
  for (const dictionary of (await labelledDictionaries(server)).filter(within)) {
    const labels = await server.labels.of(dictionary);
    const own = [...candidates(labels, filter.text)].filter(passes).sort((a, b) => a.latent - b.latent);
    for (const label of own) found.push({ ...dictionary, latent: label.latent, label });
  }
  return found;
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
function labelFilter({ source, text, list }: Filter): (label: Label | undefined) => boolean {
  const folded = text === undefined || list === undefined ? undefined : foldWord(text);
  return (label) => {
    if (source !== undefined && label?.source.kind !== source) return false;
    return (
      folded === undefined ||
      (label !== undefined && foldWord(`${label.label} ${label.note}`).includes(folded))
    );
  };
}

/** Dictionaries with a label of any kind, by run and seed. */
export async function labelledDictionaries(
  server: Pick<ServerContext, 'store' | 'manifests' | 'labels'>,
): Promise<DictionaryReference[]> {
  const { manifests } = await runManifests(server);
  const automatic = manifests.flatMap(({ name, config }) =>
    config.seeds
      .filter((seed) =>
        labelMethods.some((method) => existsSync(server.store.automaticLabels(name, seed, method))),
      )
      .map((seed) => ({ run: name, seed })),
  );
  const all = [...automatic, ...(await server.labels.dictionaries())];
  return [...new Map(all.map((one) => [`${one.run}/${one.seed}`, one])).values()].sort(
    (a, b) => compareText(a.run, b.run) || a.seed - b.seed,
  );
}

async function countsBySource(server: ServerContext): Promise<LabelPage['counts']> {
  const counts = { hand: 0, data: 0, endpoint: 0, carried: 0, imported: 0 };
  for (const dictionary of await labelledDictionaries(server))
    for (const { source } of (await server.labels.of(dictionary)).all()) counts[source.kind]++;
  return counts;
}

function rowOf({ run, seed, latent, label }: Found, lists: string[]): LabelRow {
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
function comparison(sort: LabelPageInput['sort'], order: 'asc' | 'desc'): (a: Found, b: Found) => number {
  const way = order === 'asc' ? 1 : -1;
  const byFeature = (a: Found, b: Found) =>
    compareText(a.run, b.run) || a.seed - b.seed || a.latent - b.latent;
  if (sort === 'feature') return (a, b) => way * byFeature(a, b);
  const value = ({ label }: Found): string | number | undefined => {
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

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
