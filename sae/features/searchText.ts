/**
 * texts/<key>.safetensors: the held-out tokens of a capture and their words, in which search finds the places of a phrase. All
 * dictionaries indexed on one text share the file, and it stays when the capture is deleted.
 *
 * Tensors, all I32: `tokens` [contexts × contextLength]; `words` [places], the number of each place's word in the sorted list of
 * the metadata, or −1 for a token that no phrase goes across; `first` and `last` [places], the tokens that hold the place's first and
 * last character, counted over `tokens`. Words of different contexts are kept apart by a place of −1 too.
 */
import { LazyscopeError } from '../errors.ts';
import { wordsOf } from '../tokens/words.ts';
import type { SearchTensors } from './searchTensors.ts';

/** Raised when words are found or folded in another way, so that no index is read by other rules than it was written by. */
export const searchTextVersion = '1';
/** Places of a phrase: it begins at a place of the text's words and has `words` of them. */
export interface PhrasePlaces {
  places: Int32Array;
  words: number;
}

/** A text's words in memory. */
export class SearchText {
  /** [contexts × contextLength] */
  readonly tokens: Int32Array;
  readonly contextLength: number;
  /** The number, in the capture, of the first context. */
  readonly firstContext: number;
  readonly bytes: number;
  readonly #words: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #numbers: Map<string, number>;
  /** Places of word i are #places[#start[i]] … #places[#start[i + 1] − 1], ascending. */
  readonly #start: Int32Array;
  readonly #places: Int32Array;

  private constructor(
    { tokens, words, first, last }: Record<'tokens' | 'words' | 'first' | 'last', Int32Array>,
    { firstContext, contextLength, list }: { firstContext: number; contextLength: number; list: string[] },
  ) {
    this.tokens = tokens;
    this.contextLength = contextLength;
    this.firstContext = firstContext;
    this.#words = words;
    this.#first = first;
    this.#last = last;
    this.#numbers = new Map(list.map((word, number) => [word, number]));
    this.#start = new Int32Array(list.length + 1);
    for (const word of words) if (word >= 0) this.#start[word + 1]++;
    for (let word = 0; word < list.length; word++) this.#start[word + 1] += this.#start[word];
    const next = this.#start.slice();
    this.#places = new Int32Array(this.#start[list.length]);
    words.forEach((word, place) => {
      if (word >= 0) this.#places[next[word]++] = place;
    });
    this.bytes = 4 * (tokens.length + 4 * words.length) + 100 * list.length;
  }

  /** The text that a file holds. Throws 'corrupt' for a file of another kind. */
  static of(file: SearchTensors): SearchText {
    const { metadata, path } = file;
    const list = metadata['words'] ? metadata['words'].split('\n') : [];
    const firstContext = Number(metadata['firstContext']);
    const contextLength = Number(metadata['contextLength']);
    const [tokens, words, first, last] = ['tokens', 'words', 'first', 'last'].map((name) => file.int32(name));
    const whole =
      metadata['version'] === searchTextVersion &&
      Number.isInteger(firstContext) &&
      contextLength >= 1 &&
      tokens.length % contextLength === 0 &&
      first.length === words.length &&
      last.length === words.length &&
      words.every((word) => word >= -1 && word < list.length) &&
      [first, last].every((ends) => ends.every((token) => token >= 0 && token < tokens.length));
    if (!whole)
      throw new LazyscopeError(
        'corrupt',
        `'${path}' is not a text that search can read: delete it and run 'lazyscope index RUN --search-only'.`,
      );
    return new SearchText({ tokens, words, first, last }, { firstContext, contextLength, list });
  }

  /** Where the words of `phrase` stand one after the other; nothing for a phrase without words. */
  find(phrase: string): PhrasePlaces {
    const folded = wordsOf(phrase);
    const numbers = folded.map((word) => this.#numbers.get(word));
    const none = { places: new Int32Array(0), words: folded.length };
    const known = numbers.filter((number) => number !== undefined);
    if (known.length === 0 || known.length < numbers.length) return none;
    const count = (number: number) => this.#start[number + 1] - this.#start[number];
    // Only the rarest word's places need to be looked at.
    let rarest = 0;
    known.forEach((number, at) => {
      if (count(number) < count(known[rarest])) rarest = at;
    });
    const places = this.#places
      .subarray(this.#start[known[rarest]], this.#start[known[rarest] + 1])
      .map((place) => place - rarest)
      .filter((start) => known.every((number, at) => this.#words[start + at] === number));
    return { places, words: folded.length };
  }

  /** The first and the last token of a phrase that begins at a place. */
  tokensOf(place: number, words: number): { first: number; last: number } {
    return { first: this.#first[place], last: this.#last[place + words - 1] };
  }
}
