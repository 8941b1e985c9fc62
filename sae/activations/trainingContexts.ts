/** The contexts of a text in order, without those held out, a number at a time. */
import { ContextPacker, type Packer, type SeparatorPlace } from '../tokens/packTokens.ts';
import type { TextPiece, TextSource } from '../tokens/text/openText.ts';

export interface TrainingContextsOptions {
  text: TextSource;
  model: { readonly tokenizer: Packer };
  contextLength: number;
  before: SeparatorPlace;
  /** Numbers of the contexts that are left out. */
  heldOut: ReadonlySet<number>;
}

export class TrainingContexts {
  #contextLength: number;
  #heldOut: ReadonlySet<number>;
  #pieces: AsyncGenerator<TextPiece, void, void>;
  #packer: ContextPacker;
  #ended = false;
  /** Contexts of the text so far, held-out ones included. */
  #seen = 0;
  #waiting: Int32Array[] = [];

  constructor({ text, model, contextLength, before, heldOut }: TrainingContextsOptions) {
    this.#contextLength = contextLength;
    this.#heldOut = heldOut;
    this.#pieces = text.pieces();
    this.#packer = new ContextPacker(model.tokenizer, contextLength, { before });
  }

  /** The next contexts [contexts × contextLength], fewer than `count` at the end; and whether there are no more. Throws as reading does. */
  async take(count: number): Promise<{ tokens: Int32Array; isLast: boolean }> {
    // One more than is asked for tells whether the text ends here.
    while (this.#waiting.length <= count && !this.#ended) {
      const { done, value } = await this.#pieces.next();
      if (done) {
        this.#packer.endDocument();
        this.#ended = true;
      } else this.#packer.add(value.text, value.startsDocument);
      this.#collect();
    }
    const given = this.#waiting.splice(0, count);
    const tokens = new Int32Array(given.length * this.#contextLength);
    given.forEach((context, i) => tokens.set(context, i * this.#contextLength));
    return { tokens, isLast: this.#waiting.length === 0 };
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#pieces.return();
  }

  #collect(): void {
    const tokens = this.#packer.take();
    for (let at = 0; at < tokens.length; at += this.#contextLength)
      if (!this.#heldOut.has(this.#seen++)) this.#waiting.push(tokens.subarray(at, at + this.#contextLength));
  }
}
