/** Which examples of a dictionary have a phrase in them, counted by latent. */
import { exampleAt, mostBeside, mostLatents, mostPositions, type SearchIndex } from './searchIndex.ts';
import type { PhrasePlaces, SearchText } from './searchText.ts';

/** The examples in which a phrase stands whole, by latent; each array [latents]. */
export interface ExampleMatches {
  /** How many examples there are. */
  examples: Int32Array;
  /** Of these, examples in which the latent is strongest on a token of the phrase. */
  peaks: Int32Array;
  /** The row of the index that shows the match best: one with its peak in the phrase, and of those the strongest. */
  best: Int32Array;
}

/** A place of a phrase in its context, by its first and its last token. */
interface Span {
  first: number;
  last: number;
}

/** Looks at every example of the contexts in which the phrase stands. */
export function matchExamples(index: SearchIndex, text: SearchText, phrase: PhrasePlaces): ExampleMatches {
  const examples = new Int32Array(index.latents);
  const peaks = new Int32Array(index.latents);
  const best = new Int32Array(index.latents);
  const quality = new Int32Array(index.latents);
  const packed = index.examples;
  for (const { context, spans } of byContext(text, phrase)) {
    for (let row = index.contextStart[context]; row < index.contextStart[context + 1]; row++) {
      // As exampleAt unpacks it, without an object for each of the many examples looked at.
      const [who, where] = [packed[2 * row], packed[2 * row + 1]];
      const position = where & (mostPositions - 1);
      const before = (where >>> 20) & (mostBeside - 1);
      const after = where >>> 26;
      let whole = false;
      let peak = false;
      for (const { first, last } of spans)
        if (position - before <= first && last <= position + after) {
          whole = true;
          peak ||= first <= position && position <= last;
        }
      if (!whole) continue;
      const latent = who & (mostLatents - 1);
      const strength = who >>> 24;
      examples[latent]++;
      if (peak) peaks[latent]++;
      const worth = 1 + strength + (peak ? 1000 : 0);
      if (worth > quality[latent]) {
        quality[latent] = worth;
        best[latent] = row;
      }
    }
  }
  return { examples, peaks, best };
}

/** The places of a phrase by context, in positions of the context. */
function* byContext(
  text: SearchText,
  { places, words }: PhrasePlaces,
): Generator<{ context: number; spans: Span[] }> {
  let context = -1;
  let spans: Span[] = [];
  for (const place of places) {
    const { first, last } = text.tokensOf(place, words);
    const at = Math.floor(first / text.contextLength);
    if (at !== context) {
      if (spans.length > 0) yield { context, spans };
      [context, spans] = [at, []];
    }
    spans.push({ first: first - at * text.contextLength, last: last - at * text.contextLength });
  }
  if (spans.length > 0) yield { context, spans };
}

/** An example as people read it: the tokens shown, the peak among them, and the tokens of each place of the phrase. */
export interface MatchedExample {
  /** Number of the context in the capture, from 0. */
  context: number;
  /** Of the peak in its context, in tokens; `tokens[position − start]` is the peak. */
  position: number;
  start: number;
  tokens: number[];
  /** The activation at the peak as a share of the latent's largest, in steps of 1/127. */
  strength: number;
  /** Indices of the first and the last token of each place of the phrase in `tokens`. */
  matches: { first: number; last: number }[];
}

/** The example in a row of the index. */
export function matchedExample(
  index: SearchIndex,
  text: SearchText,
  { row, phrase }: { row: number; phrase: PhrasePlaces },
): MatchedExample {
  const { strength, position, before, after } = exampleAt(index, row);
  const context = contextOf(index.contextStart, row);
  const start = position - before;
  const from = context * text.contextLength + start;
  const tokens = [...text.tokens.subarray(from, from + before + after + 1)];
  const matches: MatchedExample['matches'] = [];
  for (const place of phrase.places) {
    const { first, last } = text.tokensOf(place, phrase.words);
    if (first >= from && last < from + tokens.length)
      matches.push({ first: first - from, last: last - from });
  }
  return { context: text.firstContext + context, position, start, tokens, strength: strength / 127, matches };
}

/** The context whose rows include this one. */
function contextOf(contextStart: Int32Array, row: number): number {
  let low = 0;
  let high = contextStart.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (contextStart[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}
