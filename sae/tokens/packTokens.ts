/**
 * Text to contexts: equally long rows of tokens, as the model will see them.
 *
 * Documents are tokenised one by one, a separator before each: the tokeniser's beginning-of-sequence token,
 * or its end-of-text token where it has no other, or nothing. The stream is then cut without padding, and unless
 * `before` says otherwise every context starts with the separator too, because models treat their first position as a place to rest
 * attention and behave oddly when a word stands there. A context may hold the end of one document and the
 * beginning of the next; the model attends across that border, as it did when it was trained on packed text.
 * What does not fill a last context is left out. Where the tokeniser ends a text too, as BERT's does with [SEP], that token
 * stands between documents and at the end of every context, as an encoder has seen it in training.
 */
import { Random } from '../numerics/random.ts';
import type { Piece } from './text/plainText.ts';

export interface Packer {
  encode(text: string, options: { special: false }): readonly number[];
  bosId?: number;
  eosId?: number;
  /** The token that ends what an encoder reads ([SEP]). */
  closingId?: number;
}

/** Where the separator goes: before documents and at the start of contexts, before documents alone, or nowhere. */
export const separatorPlaces = ['contexts', 'documents', 'nothing'] as const;
export type SeparatorPlace = (typeof separatorPlaces)[number];

/** The token that separates documents; undefined where the tokeniser has none, or none is wanted. */
export function separatorOf(
  tokenizer: Pick<Packer, 'bosId' | 'eosId'>,
  before: SeparatorPlace,
): number | undefined {
  return before === 'nothing' ? undefined : (tokenizer.bosId ?? tokenizer.eosId);
}

/** Longer pieces than this make some tokenisers slow out of proportion; they are cut before a line break or a space. */
const pieceLength = 1 << 15;

/** Packs documents as they come, piece by piece. What a document was cut into does not change its tokens. */
export class ContextPacker {
  #tokenizer: Packer;
  #contextLength: number;
  #separator: number | undefined;
  #before: SeparatorPlace;
  /** What every context ends with, if anything. */
  #closing: number | undefined;
  /** Of the current document, what is not tokenised yet. */
  #pending = '';
  #packed = new Int32Array(1 << 16);
  /** Tokens in `#packed`. */
  #length = 0;
  /** Tokens taken out already; whole contexts. */
  #taken = 0;
  #limit: number;

  /** From `maxContexts` on it adds nothing. */
  constructor(
    tokenizer: Packer,
    contextLength: number,
    {
      before = 'contexts',
      maxContexts = Infinity,
    }: { before?: SeparatorPlace | undefined; maxContexts?: number } = {},
  ) {
    this.#tokenizer = tokenizer;
    this.#contextLength = contextLength;
    this.#before = before;
    this.#separator = separatorOf(tokenizer, before);
    this.#closing = before === 'contexts' ? tokenizer.closingId : undefined;
    this.#limit = maxContexts * contextLength;
  }

  get isFull(): boolean {
    return this.#taken + this.#length >= this.#limit;
  }

  add(text: string, startsDocument: boolean): void {
    if (startsDocument) {
      this.endDocument();
      if (this.#separator !== undefined && !this.isFull)
        this.#pushAndClose(this.#betweenDocuments(this.#separator));
    }
    this.#pending += text;
    let from = 0;
    for (let end; (end = pieceEnd(this.#pending, from)) < this.#pending.length; from = end)
      this.#encode(this.#pending.slice(from, end));
    this.#pending = this.#pending.slice(from);
  }

  #betweenDocuments(separator: number): number {
    return this.#length % this.#contextLength === 0 ? separator : (this.#closing ?? separator);
  }

  /** Tokenises the rest of the document. */
  endDocument(): void {
    if (this.#pending !== '') this.#encode(this.#pending);
    this.#pending = '';
  }

  /** The contexts that are whole, `most` at most [contexts × contextLength]; they are given once. */
  take(most = Infinity): Int32Array {
    const contexts = Math.min(Math.floor(this.#length / this.#contextLength), most);
    const given = this.#packed.slice(0, contexts * this.#contextLength);
    this.#packed.copyWithin(0, given.length, this.#length);
    this.#length -= given.length;
    this.#taken += given.length;
    return given;
  }

  #encode(piece: string): void {
    if (this.isFull) return;
    for (const token of this.#tokenizer.encode(piece, { special: false })) {
      if (
        this.#separator !== undefined &&
        this.#before === 'contexts' &&
        this.#length % this.#contextLength === 0
      )
        this.#push(this.#separator);
      this.#pushAndClose(token);
    }
  }

  /** The last place of a context is the closing token's. */
  #pushAndClose(token: number): void {
    this.#push(token);
    if (this.#closing !== undefined && (this.#length + 1) % this.#contextLength === 0)
      this.#push(this.#closing);
  }

  #push(token: number): void {
    if (this.#length === this.#packed.length) {
      const grown = new Int32Array(this.#packed.length * 2);
      grown.set(this.#packed);
      this.#packed = grown;
    }
    this.#packed[this.#length++] = token;
  }
}

/** Contexts in text order, [contexts × contextLength], at most `maxContexts` of them. */
export function packTokens(
  tokenizer: Packer,
  documents: readonly string[],
  contextLength: number,
  maxContexts: number,
  before: SeparatorPlace = 'contexts',
): Int32Array {
  const packer = new ContextPacker(tokenizer, contextLength, { before, maxContexts });
  for (const document of documents) {
    if (packer.isFull) break;
    packer.add(document, true);
  }
  packer.endDocument();
  return packer.take(maxContexts);
}

/** As `packTokens`, of a text that is read as it is needed: reading ends with the last context. `onPiece` sees what is read. */
export async function packText(
  tokenizer: Packer,
  pieces: AsyncIterable<Piece>,
  contextLength: number,
  maxContexts: number,
  options: { before?: SeparatorPlace | undefined; onPiece?: (piece: Piece) => void } = {},
): Promise<Int32Array> {
  const packer = new ContextPacker(tokenizer, contextLength, { before: options.before, maxContexts });
  for await (const piece of pieces) {
    options.onPiece?.(piece);
    packer.add(piece.text, piece.startsDocument);
    if (packer.isFull) break;
  }
  packer.endDocument();
  return packer.take(maxContexts);
}

/**
 * The same contexts in a random order that is always the same. The last ones are held out, and so they are a
 * sample of the whole text rather than its last chapter.
 */
export function shuffleContexts(tokens: Int32Array, contextLength: number): Int32Array {
  const contexts = tokens.length / contextLength;
  const order = shuffledOrder(contexts);
  const shuffled = new Int32Array(tokens.length);
  order.forEach((from, to) =>
    shuffled.set(tokens.subarray(from * contextLength, (from + 1) * contextLength), to * contextLength),
  );
  return shuffled;
}

/** By place in the shuffled order, the place in the text. */
export const shuffledOrder = (contexts: number): Uint32Array =>
  Random.fromSeed(0, 'contexts').permutation(contexts);

/** Where the piece of `text` that begins at `from` ends. */
function pieceEnd(text: string, from: number): number {
  const end = from + pieceLength;
  if (end >= text.length) return text.length;
  const border = Math.max(text.lastIndexOf('\n', end), text.lastIndexOf(' ', end));
  if (border > from) return border;
  return isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
