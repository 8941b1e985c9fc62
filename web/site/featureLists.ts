/** Lists of the latents of a dictionary, at any order and filter. */
import { dictionaryKey } from '../../sae/comparison/dictionaryKey.ts';
import { dictionaryStability, type DictionaryStability } from '../../sae/comparison/dictionaryStability.ts';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { DictionaryFile } from '../../sae/spec/site/siteContent.ts';
import { listedFeatureTable } from '../../sae/spec/tables/features.ts';
import type { OrphanInput } from '../../server/contract/comparisons.ts';
import type { FeatureListInput, FeaturePage } from '../../server/contract/features.ts';
import type { FeatureColumns } from '../../server/queries/featureColumns.ts';
import {
  pageOfFeatures,
  type FeatureTableParts,
  type FoundByText,
} from '../../server/queries/featureRows.ts';
import { textMatch } from '../../server/queries/searchRows.ts';
import { textFilter } from '../../server/queries/textFilter.ts';
import { labelsOf, latentsOnList } from './labels.ts';
import { isShared, matchesOf } from './matchLists.ts';
import { columnsOfFile } from './plainColumns.ts';
import { matchesIn } from './search.ts';
import { readerOf, siteFile } from './siteFile.ts';

interface Dictionary {
  file: DictionaryFile;
  columns: FeatureColumns;
}

/** By the file's content, which is the same object as long as it is in memory. */
const dictionaries = new WeakMap<DictionaryFile, Dictionary>();

async function dictionaryOf({ run, seed }: { run: string; seed: number }): Promise<Dictionary> {
  const file = await siteFile<DictionaryFile>(siteFiles.dictionary(run, seed));
  const known = dictionaries.get(file);
  if (known) return known;
  const made = { file, columns: columnsOfFile(listedFeatureTable, file.columns) };
  dictionaries.set(file, made);
  return made;
}

export async function listFeatures(
  input: FeatureListInput & { threshold?: number | undefined },
): Promise<FeaturePage> {
  const { filter, threshold } = input;
  const { file, columns } = await dictionaryOf(input);
  const labels = await labelsOf(input);
  const tokens = await readerOf(file.vocabulary);
  return pageOfFeatures(input, {
    columns,
    labels,
    tokens,
    stability: await stabilityOf(input, file, threshold),
    onList: filter.list === undefined ? undefined : await latentsOnList(filter.list, input),
    found: filter.text === undefined ? undefined : await foundByText(input, filter.text, { tokens, labels }),
  } satisfies FeatureTableParts);
}

async function foundByText(
  dictionary: { run: string; seed: number },
  text: string,
  { tokens, labels }: Pick<FeatureTableParts, 'tokens' | 'labels'>,
): Promise<FoundByText> {
  const matches = await matchesIn(dictionary, text);
  return {
    ...textFilter(matches, { text, tokens, labels }),
    match: matches && ((latent) => textMatch(matches, latent, tokens)),
  };
}

/** As listOrphans of the server. */
export function listOrphans(input: OrphanInput): Promise<FeaturePage> {
  return listFeatures({ ...input, filter: { maxStability: 0, dead: false } });
}

/** In how many other seeds each latent is shared, at the threshold or else at each comparison's own. */
async function stabilityOf(
  dictionary: { run: string; seed: number },
  { width, comparisons }: DictionaryFile,
  threshold: number | undefined,
): Promise<DictionaryStability> {
  const links = await Promise.all(
    comparisons.map(async (name) => {
      const { file, rows } = await matchesOf(name);
      return {
        a: dictionaryKey(file.a),
        b: dictionaryKey(file.b),
        counterpart: Int32Array.from(rows, (row) =>
          isShared(row, file, threshold) ? (row.decoderMatch ?? -1) : -1,
        ),
      };
    }),
  );
  return dictionaryStability(dictionary, width, links);
}
