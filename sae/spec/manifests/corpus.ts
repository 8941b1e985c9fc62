import { z } from 'zod';
import type { ManifestKind } from './manifestKind.ts';

/** corpora/<name>/corpus.json: a text, tokenised for training language models. */
export const corpusSchema = z.strictObject({
  version: z.literal(1),
  source: z.string(),
  sha256: z.string().length(64),
  bytes: z.int().positive(),
  documents: z.int().positive(),
  tokens: z.int().positive(),
  vocabularySize: z.int().positive(),
});
/** What corpus.json holds. */
export type CorpusManifest = z.infer<typeof corpusSchema>;

/** How tokenised texts are stored. */
export const corpusKind: ManifestKind<CorpusManifest> = {
  name: 'a tokenised text',
  remedy: 'delete it and tokenise the text again',
  version: 1,
  schema: corpusSchema,
  upgrades: {},
};
