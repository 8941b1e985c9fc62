/**
 * What crosses the wire, one file a noun: the inputs as zod schemas, the outputs as plain types. The routers
 * parse with the first and the queries return the second, so a client's types are these and no others.
 *
 * Numbers that cannot be known (nothing compared yet, an evaluation not run) are null, never NaN: JSON has no NaN.
 */
import { z } from 'zod';

export interface TokenText {
  id: number;
  /** The piece as people read it; a leading space is kept. */
  text: string;
}

export interface TokenCount extends TokenText {
  count: number;
}

export interface TokenEffect extends TokenText {
  /** Change of the token's logit for one unit of activation. */
  logit: number;
}

/** One dictionary of the store: a run and one of its seeds. */
export type { DictionaryReference } from '../../sae/spec/manifests/comparison.ts';

export const dictionaryInput = z.object({ run: z.string().min(1), seed: z.int().nonnegative() });
export const nameInput = z.object({ name: z.string().min(1) });

export const pageFields = {
  order: z.enum(['asc', 'desc']).default('desc'),
  offset: z.int().nonnegative().default(0),
  limit: z.int().min(1).max(500).default(50),
} as const;

export interface Page<Row> {
  /** Rows that pass the filter, of which `rows` are one page. */
  total: number;
  rows: Row[];
}
