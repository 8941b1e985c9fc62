/** Search through the examples: by the server's own functions, over the files that the server searches. */
import {
  findPhrase,
  type DictionaryMatches,
  type SearchedDictionary,
} from '../../sae/features/findPhrase.ts';
import { searchIndexOf } from '../../sae/features/searchIndex.ts';
import { SearchText } from '../../sae/features/searchText.ts';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { SearchedFile } from '../../sae/spec/site/siteContent.ts';
import type { SearchInput, SearchPage } from '../../server/contract/search.ts';
import type { DictionaryReference } from '../../server/contract/tokens.ts';
import { pageOfSearch } from '../../server/queries/searchRows.ts';
import { labelsOf } from './labels.ts';
import { safetensorsOf } from './safetensorsOf.ts';
import { bytesOf, NotPublished, readerOf, siteFile } from './siteFile.ts';

const indexes = new Map<string, Promise<SearchedDictionary>>();
const texts = new Map<string, Promise<SearchText>>();

/** The same promise for the same file, unless it failed. */
function once<Value>(known: Map<string, Promise<Value>>, file: string, read: () => Promise<Value>) {
  const found = known.get(file) ?? read();
  known.set(file, found);
  found.catch(() => known.delete(file));
  return found;
}

function opened(dictionary: DictionaryReference): Promise<SearchedDictionary> {
  const file = siteFiles.searchIndex(dictionary.run, dictionary.seed);
  return once(indexes, file, async () => {
    const index = searchIndexOf(safetensorsOf(await bytesOf(file), file));
    const ofText = siteFiles.searchText(index.text);
    const text = await once(texts, ofText, async () =>
      SearchText.of(safetensorsOf(await bytesOf(ofText), ofText)),
    );
    return { dictionary, index, text };
  });
}

const searched = () => siteFile<SearchedFile>(siteFiles.searched());

async function find(phrase: string, dictionaries: SearchedFile) {
  const searchable = dictionaries.filter((one) => one.searched);
  return findPhrase(phrase, {
    opened: await Promise.all(searchable.map(({ run, seed }) => opened({ run, seed }))),
    all: dictionaries.length === 1,
    turn: () => new Promise((next) => setTimeout(next)),
  });
}

/** Undefined where the examples of the dictionary can't be searched. */
export async function matchesIn(
  { run, seed }: DictionaryReference,
  phrase: string,
): Promise<DictionaryMatches | undefined> {
  const own = (await searched()).filter((one) => one.run === run && one.seed === seed);
  return (await find(phrase, own)).found.at(0);
}

export async function searchFeatures(input: SearchInput): Promise<SearchPage> {
  const { run, seed, text } = input;
  const all = await searched();
  if (run !== undefined && !all.some((one) => one.run === run))
    throw new NotPublished(`The published study has no features of a run '${run}'.`);
  const asked = all.filter((one) => (run ?? one.run) === one.run && (seed ?? one.seed) === one.seed);
  return pageOfSearch(input, {
    ...(await find(text, asked)),
    missing: asked.filter((one) => !one.searched).map((one) => ({ run: one.run, seed: one.seed })),
    describe: async (dictionary) => {
      const own = asked.find((one) => one.run === dictionary.run && one.seed === dictionary.seed);
      return {
        reader: await readerOf(own?.vocabulary ?? null),
        labels: await labelsOf(dictionary),
        width: own?.width ?? 0,
      };
    },
  });
}
