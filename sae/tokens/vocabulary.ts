/**
 * vocabularies/<checksum of a model>.json: the texts of a model's tokens, kept in the store so that what was captured can
 * be read after the model has been moved, and on another machine.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readJsonFile, vocabularyJson } from '../formats/parseJson.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Null where an id has no token: vocabularies may have gaps. */
const schema = z.array(z.string().nullable());

/** Writes the texts of all ids as people should see them, unless the file is there: its name says what is in it. */
export async function writeVocabulary(path: string, tokenizer: Tokenizer): Promise<void> {
  if (existsSync(path)) return;
  await writeJsonAtomic(path, vocabularyOf(tokenizer));
}

/** Throws 'corrupt' when the file can't be read. */
export function readVocabulary(path: string): (string | null)[] {
  try {
    return schema.parse(readJsonFile(path, vocabularyJson));
  } catch (cause) {
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not a list of tokens: delete it, and capture again to have it written anew.`,
      { cause },
    );
  }
}

/** The text of each token of a tokenizer, null where an id has none. */
export function vocabularyOf(tokenizer: Tokenizer): (string | null)[] {
  return Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenTextOrNull(tokenizer, id));
}

/** The text of a token, null for an id that has none: vocabularies have holes, and embeddings more rows than there are tokens. */
export function tokenTextOrNull(tokenizer: Pick<Tokenizer, 'tokenText'>, id: number): string | null {
  try {
    return tokenizer.tokenText(id);
  } catch {
    return null;
  }
}
