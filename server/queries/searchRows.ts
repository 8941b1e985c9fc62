/** Features ranked by what they have to do with a phrase. Nothing here needs a disk or a database, so that a published site has it too. */
import { bestExample, type DictionaryMatches, type FoundPlaces } from '../../sae/features/findPhrase.ts';
import { Largest } from '../../sae/features/largest.ts';
import { shownTokens } from '../../sae/features/searchIndex.ts';
import type { SearchInput, SearchPage, SearchRow, TextMatch } from '../contract/search.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import type { TokenReader } from './tokenReader.ts';

/** What was found in examples, and what else is known of a dictionary. */
export interface SearchParts extends FoundPlaces {
  found: readonly DictionaryMatches[];
  /** Dictionaries without a search index, of which only labels are searched. */
  missing: readonly DictionaryReference[];
  describe: (dictionary: DictionaryReference) => Promise<{
    reader: TokenReader;
    labels: DictionaryLabels;
    /** Its latents; 0 where it isn't known. */
    width: number;
  }>;
}

export async function pageOfSearch(
  { text, offset, limit }: SearchInput,
  { found, missing, places, lookedAt, describe }: SearchParts,
): Promise<SearchPage> {
  const best = new Largest(offset + limit);
  const scored: Scored[] = [];
  const partsOfTokens = new Map<TokenReader, readonly number[]>();
  let total = 0;
  let base = 0;
  const all = [
    ...found.map((matches) => ({ dictionary: matches.dictionary, matches })),
    ...missing.map((dictionary) => ({ dictionary, matches: undefined })),
  ];
  for (const { dictionary, matches } of all) {
    const { reader, labels, width } = await describe(dictionary);
    const byLabel = labels.size > 0 ? new Set(labels.withWords(text)) : noLatents;
    let tokens = reader.named(text);
    // What is no word of the text may still be a part of tokens.
    if (tokens.length === 0 && places === 0) {
      tokens = partsOfTokens.get(reader) ?? reader.find(text);
      partsOfTokens.set(reader, tokens);
    }
    const byToken = matches ? latentsWithToken(matches, tokens) : undefined;
    const latents = matches?.index.latents ?? width;
    const scores = scoresOf({ matches, byToken, byLabel, latents });
    scored.push({ dictionary, matches, reader, labels, byToken, byLabel, base });
    for (let latent = 0; latent < latents; latent++) {
      if (scores[latent] === 0) continue;
      total++;
      best.offer(scores[latent], base + latent);
    }
    base += latents;
  }
  const rows = [...best.places].slice(offset).map((place) => {
    const of = scored.findLast((each) => each.base <= place) ?? scored[0];
    return rowOf(of, place - of.base);
  });
  return { total, rows, places, lookedAt, searched: found.length, missing: [...missing] };
}

interface Scored {
  dictionary: DictionaryReference;
  /** Absent for a dictionary without a search index, of which only labels are searched. */
  matches: DictionaryMatches | undefined;
  reader: TokenReader;
  labels: DictionaryLabels;
  byToken: ReadonlyMap<number, number> | undefined;
  /** Latents whose label has the words. */
  byLabel: ReadonlySet<number>;
  /** The place of latent 0 among the latents of all dictionaries. */
  base: number;
}

const noLatents: ReadonlySet<number> = new Set();

const fires = 1;
const promotes = 2;

/** Latents that have one of the tokens: `fires` for those that fire on one, plus `promotes` for those that promote one. */
export function latentsWithToken(
  { index }: DictionaryMatches,
  tokens: readonly number[],
): ReadonlyMap<number, number> {
  const byToken = new Map<number, number>();
  for (const token of tokens) {
    const to = index.tokenStart[token + 1] ?? 0;
    for (let at = index.tokenStart[token] ?? 0; at < to; at++) {
      const who = index.tokenLatents[at];
      const latent = who >> 1;
      byToken.set(latent, (byToken.get(latent) ?? 0) | (who & 1 ? fires : promotes));
    }
  }
  return byToken;
}

/** Of one dictionary after the other, overwritten by the next. */
let scores = new Int32Array(0);

/** [latents]: higher for what comes first (see SearchPage), and 0 where the text has nothing to do with a latent. */
function scoresOf({
  matches,
  byToken,
  byLabel,
  latents,
}: Pick<Scored, 'matches' | 'byToken' | 'byLabel'> & { latents: number }): Int32Array {
  if (scores.length < latents) scores = new Int32Array(latents);
  else scores.fill(0, 0, latents);
  if (matches) {
    const { latents: who, examples, peaks } = matches.matches;
    for (let at = 0; at < who.length; at++) scores[who[at]] = 10_000 * peaks[at] + 10 * examples[at];
  }
  if (byToken) for (const [latent, how] of byToken) scores[latent] += how & fires ? 2 : 1;
  for (const latent of byLabel) if (latent < latents) scores[latent] += 1_000_000_000;
  return scores;
}

function rowOf({ dictionary, matches, reader, labels, byToken, byLabel }: Scored, latent: number): SearchRow {
  const shown = matches?.index.firesOn.subarray(latent * shownTokens, (latent + 1) * shownTokens) ?? [];
  return {
    ...dictionary,
    latent,
    label: labels.name(latent),
    byLabel: byLabel.has(latent),
    match: matches ? textMatch(matches, latent, reader) : null,
    firesOn: ((byToken?.get(latent) ?? 0) & fires) !== 0,
    promotes: ((byToken?.get(latent) ?? 0) & promotes) !== 0,
    topTokens: reader.texts([...shown].filter((id) => id >= 0)),
  };
}

/** Null where no example of the latent has the phrase. */
export function textMatch(matches: DictionaryMatches, latent: number, reader: TokenReader): TextMatch | null {
  const example = bestExample(matches, latent);
  const at = matches.matches.latents.indexOf(latent);
  return (
    example && {
      examples: matches.matches.examples[at],
      peaks: matches.matches.peaks[at],
      example: { ...example, tokens: reader.texts(example.tokens) },
    }
  );
}
