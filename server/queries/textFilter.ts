/** The filter of a feature table by a word or a phrase. */
import type { DictionaryMatches } from '../../sae/features/searchStore.ts';
import type { ServerContext } from '../context.ts';
import type { DictionaryReference } from '../contract/tokens.ts';
import type { DictionaryLabels } from './dictionaryLabels.ts';
import { listParameter } from './listParameter.ts';
import { latentsWithToken } from './search.ts';
import type { TokenReader } from './tokenTexts.ts';

export interface TextFilter {
  /** Of the conditions `text` or `textOrToken` of the table. */
  parameters: Record<string, string>;
  /** Undefined where the dictionary has no search index. */
  matches: DictionaryMatches | undefined;
}

/**
 * Latents with an example that has the phrase, with a token that contains the text, or with a label that has its words. Without a search
 * index the examples can't be searched, and the table's own columns say who has a token.
 */
export async function textFilter(
  { search }: ServerContext,
  { run, seed }: DictionaryReference,
  { text, tokens, labels }: { text: string; tokens: TokenReader; labels: DictionaryLabels },
): Promise<TextFilter> {
  const { found } = await search.find(text, [{ run, seed }]);
  const ids = tokens.find(text);
  const latents = labels.withWords(text);
  const matches = found.at(0);
  if (!matches)
    return {
      parameters: { textOrToken: listParameter(latents), textTokens: listParameter(ids) },
      matches,
    };
  const wanted = latentsWithToken(matches, ids);
  for (const latent of latents) wanted[latent] = 1;
  matches.matches.examples.forEach((examples, latent) => {
    if (examples > 0) wanted[latent] = 1;
  });
  const all = Array.from(wanted, (one, latent) => (one ? latent : -1)).filter((latent) => latent >= 0);
  return { parameters: { text: listParameter(all) }, matches };
}
