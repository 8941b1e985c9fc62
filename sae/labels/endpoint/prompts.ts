/**
 * What an endpoint is asked: to name what marked tokens have in common, and, as a judge that is given the name alone, which of some contexts
 * it fits (detection) or whose marks are right (fuzzing). The two judgements are delphi's (Paulo, Mallen, Juang & Belrose, 2024).
 */
import { longestLabel } from '../../spec/labelSources.ts';
import type { LabelContext } from '../labelContexts.ts';
import type { ChatMessage } from './chatEndpoint.ts';

/** Contexts in one question to the judge, as in delphi. */
export const contextsAtOnce = 5;
/** Tokens of the longest answers. */
export const labelTokens = 60;
export const judgementTokens = 40;
/** Contexts that a label is made from. */
export const shownContexts = 16;

const [open, close] = ['<<', '>>'];

const explain = `You study one feature of a language model. You are given excerpts of text; in each, the tokens on which the feature is active stand between ${open} and ${close}. Name in one short phrase of at most 12 words what these tokens, or the contexts just around them, have in common. Answer with the phrase alone, without quotation marks and without the words "feature" and "tokens".`;

const detect = `You are given a description of a feature of a language model, and ${contextsAtOnce} or fewer numbered excerpts of text. Say for each excerpt whether it contains what the description describes. Answer with a list of 1 (yes) and 0 (no) in the order of the excerpts, for example [1,0,0,1,0], and nothing else.`;

const fuzz = `You are given a description of a feature of a language model, and ${contextsAtOnce} or fewer numbered excerpts of text in which some tokens stand between ${open} and ${close}. Say for each excerpt whether the marked tokens are what the description describes. Answer with a list of 1 (yes) and 0 (no) in the order of the excerpts, for example [1,0,0,1,0], and nothing else.`;

export type Judgement = 'detection' | 'fuzzing';

/** Asks for a label of excerpts with the active tokens marked. */
export function explanationMessages(excerpts: readonly string[]): ChatMessage[] {
  return [
    { role: 'system', content: explain },
    { role: 'user', content: numbered(excerpts) },
  ];
}

export function judgementMessages(
  kind: Judgement,
  label: string,
  excerpts: readonly string[],
): ChatMessage[] {
  return [
    { role: 'system', content: kind === 'detection' ? detect : fuzz },
    { role: 'user', content: `Description: ${label}\n\n${numbered(excerpts)}` },
  ];
}

const numbered = (excerpts: readonly string[]) =>
  excerpts.map((excerpt, i) => `Excerpt ${i + 1}: ${excerpt}`).join('\n');

/** A stretch of text on one line; neighbouring marked tokens share their marks. */
export function excerpt(
  texts: readonly string[],
  { length }: Pick<LabelContext, 'length'>,
  marked: readonly number[] = [],
): string {
  const marks = new Set(marked);
  let written = '';
  for (let at = 0; at < length; at++) {
    if (marks.has(at) && !marks.has(at - 1)) written += open;
    written += texts[at];
    if (marks.has(at) && !marks.has(at + 1)) written += close;
  }
  return written.replaceAll(/\r?\n/g, '⏎');
}

/** The label of an answer: its first line, without quotation marks. Null where it says nothing. */
export function readLabel(answer: string): string | null {
  const [line] = answer
    .split('\n')
    .map((each) => each.replaceAll(/\p{Cc}/gu, ' ').trim())
    .filter((each) => each !== '');
  const label = (line ?? '').replace(/^["'“”‘’*]+/, '').replace(/["'“”‘’*.]+$/, '').trim(); // prettier-ignore
  return label === '' ? null : label.slice(0, longestLabel);
}

/** The judgements of an answer; null for each where the answer has no list of that length of 1 and 0. */
export function readJudgement(answer: string, count: number): (boolean | null)[] {
  const list = /\[([\s\d,]*)\]/.exec(answer)?.[1];
  const values = list?.split(',').map((each) => each.trim());
  if (values?.length !== count || !values.every((each) => each === '0' || each === '1'))
    return Array.from({ length: count }, () => null);
  return values.map((each) => each === '1');
}
