/**
 * Text to contexts: equally long rows of tokens, as the model will see them.
 *
 * Documents are tokenised one by one, a separator before each: the tokeniser's beginning-of-sequence token,
 * or its end-of-text token where it has no other, or nothing. The stream is then cut without padding, and unless
 * `before` says otherwise every context starts with the separator too, because models treat their first position as a place to rest
 * attention and behave oddly when a word stands there. A context may hold the end of one document and the
 * beginning of the next; the model attends across that border, as it did when it was trained on packed text.
 * What does not fill a last context is left out.
 */
import { Random } from '../numerics/random.ts';

export interface Packer {
  encode(text: string, options: { special: false }): readonly number[];
  bosId?: number;
  eosId?: number;
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

/** Contexts in text order, [contexts × contextLength], at most `maxContexts` of them. */
export function packTokens(
  tokenizer: Packer,
  documents: readonly string[],
  contextLength: number,
  maxContexts: number,
  before: SeparatorPlace = 'contexts',
): Int32Array {
  const separator = separatorOf(tokenizer, before);
  let packed = new Int32Array(1 << 16);
  let length = 0;
  const limit = maxContexts * contextLength;
  const push = (token: number) => {
    if (length === packed.length) {
      const grown = new Int32Array(packed.length * 2);
      grown.set(packed);
      packed = grown;
    }
    packed[length++] = token;
  };
  for (const document of documents) {
    if (length >= limit) break;
    if (separator !== undefined) push(separator);
    for (const piece of cut(document)) {
      for (const token of tokenizer.encode(piece, { special: false })) {
        if (separator !== undefined && before === 'contexts' && length % contextLength === 0) push(separator);
        push(token);
      }
      if (length >= limit) break;
    }
  }
  const contexts = Math.min(Math.floor(length / contextLength), maxContexts);
  return packed.slice(0, contexts * contextLength);
}

/**
 * The same contexts in a random order that is always the same. The last ones are held out, and so they are a
 * sample of the whole text rather than its last chapter.
 */
export function shuffleContexts(tokens: Int32Array, contextLength: number): Int32Array {
  const contexts = tokens.length / contextLength;
  const order = Random.fromSeed(0, 'contexts').permutation(contexts);
  const shuffled = new Int32Array(tokens.length);
  order.forEach((from, to) =>
    shuffled.set(tokens.subarray(from * contextLength, (from + 1) * contextLength), to * contextLength),
  );
  return shuffled;
}

function* cut(document: string): Generator<string> {
  for (let at = 0; at < document.length;) {
    let end = Math.min(at + pieceLength, document.length);
    if (end < document.length) {
      const border = Math.max(document.lastIndexOf('\n', end), document.lastIndexOf(' ', end));
      if (border > at) end = border;
      else if (isHighSurrogate(document.charCodeAt(end - 1))) end--;
    }
    yield document.slice(at, end);
    at = end;
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
