/** The filter of a feature table by a word or a phrase. Nothing here needs a disk or a database, so that a published site has it too. */
import type { DictionaryMatches } from '../../sae/features/findPhrase.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import { latentsWithToken } from './searchRows.ts';
import type { TokenReader } from './tokenReader.ts';

export interface TextFilter {
  latents: ReadonlySet<number>;
  /** Tokens that a latent may have instead. Without a search index the table's own columns say who has a token; with one, `latents` does. */
  tokens: readonly number[];
  /** Undefined where the dictionary has no search index. */
  matches: DictionaryMatches | undefined;
}

/**
 * Latents with an example that has the phrase, with a token that contains the text, or with a label that has its words. Without a search
 * index, of which `matches` come, the examples can't be searched.
 */
export function textFilter(
  matches: DictionaryMatches | undefined,
  { text, tokens, labels }: { text: string; tokens: TokenReader; labels: DictionaryLabels },
): TextFilter {
  const ids = tokens.find(text);
  const latents = new Set(labels.withWords(text));
  if (!matches) return { latents, tokens: ids, matches };
  for (const latent of latentsWithToken(matches, ids).keys()) latents.add(latent);
  for (const latent of matches.matches.latents) latents.add(latent);
  return { latents, tokens: [], matches };
}
