/**
 * The types that server and client exchange, one file for each noun: inputs as zod schemas, outputs as plain types. Routers
 * parse inputs with the schemas and queries return the types, and the client's types are derived from both.
 *
 * Numbers that cannot be known (nothing compared yet, an evaluation not run) are null, never NaN: JSON has no NaN.
 */
import { z } from 'zod';
import { indexNumber, seedNumber, storeName } from './limits.ts';

/** A token id and its text. */
export interface TokenText {
  id: number;
  /** The token's text, with a leading space if it has one. */
  text: string;
}

/** A token and how often it occurred. */
export interface TokenCount extends TokenText {
  count: number;
}

/** A token and the change of its logit. */
export interface TokenEffect extends TokenText {
  /** Change of the token's logit for one unit of activation. */
  logit: number;
}

/** One dictionary of the store: a run and one of its seeds. */
export type { DictionaryReference } from '../../sae/spec/manifests/comparison.ts';

export const dictionaryInput = z.object({ run: storeName, seed: seedNumber });
export const nameInput = z.object({ name: storeName });

export const pageFields = {
  order: z.enum(['asc', 'desc']).default('desc'),
  offset: indexNumber.default(0),
  limit: z.int().min(1).max(500).default(50),
} as const;

/** A part of a list, and how long the whole list is. */
export interface Page<Row> {
  /** Number of rows that pass the filter; `rows` is one page of them. */
  total: number;
  rows: Row[];
}
