import { LazyscopeError } from '../errors.ts';
import type { LanguageModel } from './languageModel.ts';

/** Throws 'bad_input' for an encoder, whose every position has seen the tokens that follow it; `so` says what that rules out. */
export function predictsNextToken(
  { name, config }: Pick<LanguageModel, 'name' | 'config'>,
  so: string,
): void {
  if (config.encoder)
    throw new LazyscopeError(
      'bad_input',
      `'${name}' is an encoder, which reads text in both directions and predicts no next token, so ${so}: use a decoder for this.`,
    );
}
