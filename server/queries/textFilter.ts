/** The filter of a feature table by a word or a phrase. */
import type { DictionaryMatches } from '../../sae/features/searchStore.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import { latentsWithToken } from './search.ts';
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
 * index the examples can't be searched.
 */
export async function textFilter(
  { search }: ServerContext,
  { run, seed }: DictionaryReference,
  { text, tokens, labels }: { text: string; tokens: TokenReader; labels: DictionaryLabels },
): Promise<TextFilter> {
  const { found } = await search.find(text, [{ run, seed }]);
  const ids = tokens.find(text);
  const latents = new Set(labels.withWords(text));
  const matches = found.at(0);
  if (!matches) return { latents, tokens: ids, matches };
  for (const latent of latentsWithToken(matches, ids).keys()) latents.add(latent);
  for (const latent of matches.matches.latents) latents.add(latent);
  return { latents, tokens: [], matches };
}
