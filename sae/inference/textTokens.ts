/** A text that people type, as the tokens that a dictionary's capture would have made of it. */
import { LazyscopeError } from '../errors.ts';
import { separatorOf } from '../tokens/packTokens.ts';
import { tokenTextOrNull } from '../tokens/vocabulary.ts';
import type { CaptureManifest } from '../spec/manifests/capture.ts';
import type { LanguageModel } from '../models/languageModel.ts';

/**
 * The text as the beginning of a context: the separator that the capture put there, if it put one, and then the text's
 * own tokens. Without a capture, whatever the model's tokenizer makes of the text. Throws `bad_input` when nothing is
 * left of the text, or when it doesn't fit into the model's context.
 */
export function textTokens(
  { tokenizer, config, name }: Pick<LanguageModel, 'tokenizer' | 'config' | 'name'>,
  text: string,
  packing: CaptureManifest['packing'] | 'unknown',
): number[] {
  const tokens = packing === 'unknown' ? tokenizer.encode(text) : [];
  if (packing !== 'unknown') {
    const separator = packing ? packing.separator : (separatorOf(tokenizer, 'contexts') ?? null);
    if (packing?.before !== 'nothing' && separator !== null) tokens.push(separator);
    tokens.push(...tokenizer.encode(text, { special: false }));
  }
  if (tokens.length === 0)
    throw new LazyscopeError('bad_input', 'The text is empty: give at least one character.');
  if (tokens.length > config.contextLength)
    throw new LazyscopeError(
      'bad_input',
      `The text has ${tokens.length} tokens, but '${name}' has a context of ${config.contextLength}: shorten it.`,
    );
  return tokens;
}

/** The text of a token as people see it; `#id` for a row of the embedding that belongs to no token. */
export function shownToken({ tokenizer }: Pick<LanguageModel, 'tokenizer'>, id: number): string {
  return tokenTextOrNull(tokenizer, id) ?? `#${id}`;
}
