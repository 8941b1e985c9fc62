/**
 * Rules that a latent's label can be: each says of a token in its text whether the latent should be active on it. Candidates are taken from the
 * tokens on which it is most active; which one it becomes is for findRule.ts to say.
 */
import type { LabelContext } from './labelContexts.ts';
import { tokenClasses, type TokenBook, type TokenClass } from './tokenFacts.ts';

/** A token of the text with its neighbours; −1 where there is none. */
export interface TokenPlace {
  id: number;
  before: number;
  after: number;
  /** In its context. */
  position: number;
}

export interface Rule {
  /** The label. */
  text: string;
  /** Number of things that the rule names; of two that fit equally well, the one with fewer is taken. */
  parts: number;
  holds(place: TokenPlace): boolean;
}

export interface RuleText {
  tokens: Int32Array;
  contextLength: number;
  /** The first position that has a row. */
  firstPosition: number;
  book: TokenBook;
}

export function placeAt({ tokens, contextLength }: RuleText, context: LabelContext, at: number): TokenPlace {
  const position = context.start + at;
  const index = context.context * contextLength + position;
  return {
    id: tokens[index],
    before: position > 0 ? tokens[index - 1] : -1,
    after: position + 1 < contextLength ? tokens[index + 1] : -1,
    position,
  };
}

/** How many of the commonest tokens, words and neighbours become candidates. */
const most = 8;
const namedTokens: Record<string, string> = {
  ',': 'a comma',
  '.': 'a full stop',
  ';': 'a semicolon',
  ':': 'a colon',
  '!': 'an exclamation mark',
  '?': 'a question mark',
  '\n': 'a line break',
  '-': 'a hyphen',
  '"': 'a quotation mark',
};

/** Single rules for the tokens at the peaks; `promoted` are the tokens whose logits the latent raises most. */
export function candidateRules(
  text: RuleText,
  peaks: readonly TokenPlace[],
  promoted: readonly number[],
): Rule[] {
  const { book } = text;
  const facts = peaks.map(({ id }) => book.of(id));
  const allWords = facts.map(({ word }) => word).filter((word) => word !== '');
  const words = [...new Set(allWords)];
  const classes = (Object.keys(tokenClasses) as TokenClass[]).filter((name) =>
    facts.some((each) => each.classes.has(name)),
  );
  return [
    ...common(peaks.map(({ id }) => id)).map((id) => tokenRule(text, [id])),
    ...common(allWords).map((word) => wordRule(text, word)),
    ...affixes(words, 2, 5, (word, length) => word.slice(0, length)).map((part) => prefixRule(text, part)),
    ...affixes(words, 2, 4, (word, length) => word.slice(-length)).map((part) => suffixRule(text, part)),
    ...classes.map((name) => classRule(text, name)),
    ...common(peaks.map(({ before }) => before).filter((id) => id >= 0)).map((id) => afterRule(text, id)),
    ...common(peaks.map(({ after }) => after).filter((id) => id >= 0)).map((id) => beforeRule(text, id)),
    ...positionRules(text, peaks),
    ...(promoted.length > 0 ? [promotesRule(text, promoted)] : []),
  ];
}

/** The most frequent values that occur more than once, most frequent first: what occurs once would only be learnt by heart. */
function common<Value extends string | number>(values: readonly Value[]): Value[] {
  const counts = new Map<Value, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > 1)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, most)
    .map(([value]) => value);
}

/** Beginnings or ends that at least two different words have, longest first, each shorter than the words. */
function affixes(
  words: readonly string[],
  shortest: number,
  longest: number,
  part: (word: string, length: number) => string,
): string[] {
  const found = new Set<string>();
  for (let length = longest; length >= shortest; length--)
    for (const word of words)
      if (
        word.length > length &&
        words.some(
          (other) => other !== word && other.length > length && part(other, length) === part(word, length),
        )
      )
        found.add(part(word, length));
  return [...found];
}

/** The latent is active on these very tokens. */
export function tokenRule({ book }: RuleText, ids: readonly number[]): Rule {
  const wanted = new Set(ids);
  const names = ids.map((id) => quoted(book.text(id))).join(', ');
  return {
    text: `${ids.length === 1 ? 'token' : 'tokens'} ${names}`,
    parts: ids.length,
    holds: ({ id }) => wanted.has(id),
  };
}

function wordRule({ book }: RuleText, word: string): Rule {
  return {
    text: `word '${word}' in any spelling`,
    parts: 1.5,
    holds: ({ id }) => book.of(id).word === word,
  };
}

function prefixRule({ book }: RuleText, prefix: string): Rule {
  return {
    text: `words beginning with ${prefix}-`,
    parts: 2,
    holds: ({ id }) => book.of(id).beginsWord && book.of(id).word.startsWith(prefix),
  };
}

function suffixRule({ book }: RuleText, suffix: string): Rule {
  return {
    text: `words ending in -${suffix}`,
    parts: 2,
    holds: ({ id, after }) => book.of(id).word.endsWith(suffix) && book.of(after).apart,
  };
}

function classRule({ book }: RuleText, name: TokenClass): Rule {
  return { text: name, parts: 1, holds: ({ id }) => book.of(id).classes.has(name) };
}

function afterRule({ book }: RuleText, before: number): Rule {
  const name = namedTokens[book.text(before)] ?? quoted(book.text(before));
  return { text: `after ${name}`, parts: 1.5, holds: (place) => place.before === before };
}

function beforeRule({ book }: RuleText, after: number): Rule {
  const name = namedTokens[book.text(after)] ?? quoted(book.text(after));
  return { text: `before ${name}`, parts: 1.5, holds: (place) => place.after === after };
}

function positionRules({ firstPosition }: RuleText, peaks: readonly TokenPlace[]): Rule[] {
  const [least] = peaks.map(({ position }) => position).sort((a, b) => a - b);
  const within = [2, 4, 8, 16, 32].map((count): Rule => ({
    text: `the first ${count} positions`,
    parts: 1.5,
    holds: ({ position }) => position < firstPosition + count,
  }));
  if (least === undefined || least >= firstPosition + 32) return [];
  const first: Rule = {
    text: 'first position',
    parts: 1,
    holds: ({ position }) => position === firstPosition,
  };
  return [first, ...within];
}

function promotesRule({ book }: RuleText, promoted: readonly number[]): Rule {
  const wanted = new Set(promoted);
  const names = promoted.slice(0, 3).map((id) => quoted(book.text(id)));
  return {
    text: `promotes ${names.join(', ')}: the next token is one of the ${promoted.length} that it promotes`,
    parts: 3,
    holds: ({ after }) => wanted.has(after),
  };
}

/** As people read it: line breaks and tabs by name. */
function quoted(text: string): string {
  const shown = text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll('\r', '␍');
  return `'${shown.length > 40 ? `${shown.slice(0, 40)}…` : shown}'`;
}
