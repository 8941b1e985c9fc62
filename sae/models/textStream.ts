import type { Tokenizer } from '../tokens/tokenizer.ts';

/** The text that tokens add to a prompt, piece by piece: nothing while a character is not whole. */
export class TextStream {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  readonly #tokens: number[];
  #shown: string;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, prompt: readonly number[]) {
    this.#tokenizer = tokenizer;
    this.#tokens = [...prompt];
    this.#shown = tokenizer.decode(this.#tokens);
  }

  /** The text that this token completes. */
  add(token: number): string {
    this.#tokens.push(token);
    const text = this.#tokenizer.decode(this.#tokens);
    if (text.endsWith('\uFFFD')) return '';
    const piece = text.slice(this.#shown.length);
    this.#shown = text;
    return piece;
  }
}
