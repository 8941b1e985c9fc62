/** What rules ask of a token's text, found once a token. */
import { foldWord } from '../tokens/words.ts';

export const tokenClasses = {
  digits: /^\s*\d+$/u,
  'line breaks': /^[ \t]*[\r\n]/u,
  'quotation marks': /^\s*["'“”‘’«»`]+$/u,
  punctuation: /^\s*[\p{P}\p{S}]+$/u,
  'words in capitals': /^\s*\p{Lu}{2,}$/u,
  'capitalised words': /^\s*\p{Lu}\p{Ll}/u,
} as const;
export type TokenClass = keyof typeof tokenClasses;

export interface TokenFacts {
  text: string;
  /** The letters of the token, folded; empty where it has anything else. */
  word: string;
  /** Whether it begins a word: it has a space before its letters. */
  beginsWord: boolean;
  /** Whether its first character can't go on a word. */
  apart: boolean;
  classes: ReadonlySet<TokenClass>;
}

const none: TokenFacts = { text: '', word: '', beginsWord: false, apart: true, classes: new Set() };
const classNames = Object.keys(tokenClasses) as TokenClass[];

export class TokenBook {
  readonly #vocabulary: readonly (string | null)[];
  readonly #facts: (TokenFacts | undefined)[];

  constructor(vocabulary: readonly (string | null)[]) {
    this.#vocabulary = vocabulary;
    this.#facts = Array.from({ length: vocabulary.length }, () => undefined);
  }

  text(id: number): string {
    return this.#vocabulary[id] ?? '';
  }

  /** Of −1, which stands for no token, nothing is the case. */
  of(id: number): TokenFacts {
    if (id < 0) return none;
    let facts = this.#facts[id];
    if (!facts) {
      const text = this.text(id);
      const letters = text.trim();
      facts = {
        text,
        word: /^\p{L}+$/u.test(letters) ? foldWord(letters) : '',
        beginsWord: /^\s\p{L}/u.test(text),
        apart: !/^[\p{L}\p{M}]/u.test(text),
        classes: new Set(classNames.filter((name) => tokenClasses[name].test(text))),
      };
      this.#facts[id] = facts;
    }
    return facts;
  }
}
