/** Where a phrase stands in the examples of dictionaries whose search indexes are in memory. Nothing here needs a disk, so that a published site has it too. */
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import { matchedExample, matchExamples, type ExampleMatches, type MatchedExample } from './matchExamples.ts';
import type { SearchIndex } from './searchIndex.ts';
import type { PhrasePlaces, SearchText } from './searchText.ts';

/**
 * Places of a phrase that are looked at, times dictionaries: of a phrase with more, places spread evenly over the text. A search
 * of one dictionary looks at them all.
 */
const mostLookedAt = 40_000;
/** Milliseconds of looking through dictionaries after which other questions have their turn. */
const longestTurn = 5;

/** A dictionary with its index and the text that this is of. */
export interface SearchedDictionary {
  dictionary: DictionaryReference;
  index: SearchIndex;
  text: SearchText;
}

/** What a dictionary's search index knows of a question. */
export interface DictionaryMatches {
  dictionary: DictionaryReference;
  index: SearchIndex;
  text: SearchText;
  phrase: PhrasePlaces;
  matches: ExampleMatches;
}

export interface FoundPlaces {
  /** Where the phrase stands in the texts searched. */
  places: number;
  /** How many of these places were looked at. */
  lookedAt: number;
}

/** Dictionaries of one text share the places of a phrase, so these are found once. `all`: whether all places are looked at, however many there are; `turn` lets others have theirs. */
export async function findPhrase(
  phrase: string,
  { opened, all, turn }: { opened: readonly SearchedDictionary[]; all: boolean; turn: () => Promise<void> },
): Promise<{ found: DictionaryMatches[] } & FoundPlaces> {
  const most = all ? Infinity : Math.ceil(mostLookedAt / Math.max(1, opened.length));
  const phrases = new Map<SearchText, { all: number; phrase: PhrasePlaces }>();
  for (const { text } of opened)
    if (!phrases.has(text)) {
      const everywhere = text.find(phrase);
      phrases.set(text, { all: everywhere.places.length, phrase: spread(everywhere, most) });
    }
  const found: DictionaryMatches[] = [];
  let since = performance.now();
  for (const { dictionary, index, text } of opened) {
    const places = phrases.get(text)?.phrase ?? { places: new Int32Array(0), words: 0 };
    found.push({ dictionary, index, text, phrase: places, matches: matchExamples(index, text, places) });
    if (performance.now() - since < longestTurn) continue;
    await turn();
    since = performance.now();
  }
  const sum = (of: (one: { all: number; phrase: PhrasePlaces }) => number) =>
    [...phrases.values()].reduce((total, one) => total + of(one), 0);
  return {
    found,
    places: sum((one) => one.all),
    lookedAt: sum((one) => one.phrase.places.length),
  };
}

/** The example that shows best that a latent's examples have the phrase; null where none has. */
export function bestExample(
  { index, text, phrase, matches }: DictionaryMatches,
  latent: number,
): MatchedExample | null {
  const at = matches.latents.indexOf(latent);
  return at < 0 ? null : matchedExample(index, text, { row: matches.best[at], phrase });
}

/** At most `most` places, evenly over all. */
function spread({ places, words }: PhrasePlaces, most: number): PhrasePlaces {
  if (places.length <= most) return { places, words };
  const step = places.length / most;
  return { places: Int32Array.from({ length: most }, (_, i) => places[Math.floor(i * step)]), words };
}
