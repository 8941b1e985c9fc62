import { z } from 'zod';
import type { MatchedExample } from '../../sae/features/matchExamples.ts';
import { indexNumber, seedNumber, storeName } from './limits.ts';
import type { DictionaryReference, Page, TokenText } from './tokens.ts';

export const searchInput = z.object({
  /** A word or several: several are a phrase, and found where they stand one after the other. Case and accents don't matter. */
  text: z.string().trim().min(1).max(200),
  /** One run, or one seed; by default all that are indexed. */
  run: storeName.optional(),
  seed: seedNumber.optional(),
  offset: indexNumber.max(10_000).default(0),
  limit: z.int().min(1).max(100).default(20),
});
export type SearchInput = z.infer<typeof searchInput>;

/** An example with the places of the phrase in it. */
export interface SearchExample extends Omit<MatchedExample, 'tokens'> {
  tokens: TokenText[];
}

/** The examples of a feature that have the phrase in them. */
export interface TextMatch {
  examples: number;
  /** Of these, examples in which the feature is strongest on a token of the phrase. */
  peaks: number;
  /** The one that shows it best. */
  example: SearchExample;
}

/** A feature that was found, and by what. */
export interface SearchRow extends DictionaryReference {
  latent: number;
  label: string | null;
  /** Whether the label has the words in it. */
  byLabel: boolean;
  match: TextMatch | null;
  /** Whether the feature fires on, or promotes, a token that is what was searched for. */
  firesOn: boolean;
  promotes: boolean;
  topTokens: TokenText[];
}

/**
 * Features by what they have to do with a phrase: labelled with it first, then those that are strongest on it in the most examples, then
 * those with the most examples of it, then those with it as a token.
 */
export interface SearchPage extends Page<SearchRow> {
  /** Where the phrase stands in the texts that were searched, and how many of these places were looked at: spread over the text where there are many. */
  places: number;
  lookedAt: number;
  /** Dictionaries that were searched. */
  searched: number;
  /** Indexed dictionaries without a search index, which `lazyscope index RUN --search-only` makes. */
  missing: DictionaryReference[];
}
