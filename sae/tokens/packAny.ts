/** Contexts of a text, whether it is in memory or read as it is needed, with the checksum of what was read. */
import { createHash } from 'node:crypto';
import { LazyscopeError } from '../errors.ts';
import { packText, packTokens, type Packer, type SeparatorPlace } from './packTokens.ts';
import type { Text } from './readText.ts';
import type { TextSource } from './text/openText.ts';

/** A text in memory, or one that is read as it is needed. */
export type AnyText = Text | TextSource;

export interface PackOptions {
  contextLength: number;
  maxContexts: number;
  before?: SeparatorPlace | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Contexts in text order [contexts × contextLength], and the SHA-256 of the documents with two line breaks between them: of all of
 * a text in memory, of what was read of another one. Throws as reading does, and `cancelled` when the signal fires.
 */
export async function packAny(
  text: AnyText,
  tokenizer: Packer,
  { contextLength, maxContexts, before, signal }: PackOptions,
): Promise<{ tokens: Int32Array; sha256: string }> {
  if ('documents' in text)
    return {
      tokens: packTokens(tokenizer, text.documents, contextLength, maxContexts, before),
      sha256: text.sha256,
    };
  const hash = createHash('sha256');
  let documents = 0;
  const tokens = await packText(tokenizer, text.pieces(), contextLength, maxContexts, {
    before,
    onPiece(piece) {
      if (signal?.aborted) throw new LazyscopeError('cancelled', `Reading '${text.source}' was stopped.`);
      if (piece.startsDocument && documents++ > 0) hash.update('\n\n');
      hash.update(piece.text);
    },
  });
  return { tokens, sha256: hash.digest('hex') };
}
