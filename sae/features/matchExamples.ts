/** Which examples of a dictionary have a phrase in them, counted by latent. */
import { exampleAt, mostBeside, mostLatents, mostPositions, type SearchIndex } from './searchIndex.ts';
import type { PhrasePlaces, SearchText } from './searchText.ts';

/** The examples in which a phrase stands whole, of the latents that have any; the arrays go together. */
export interface ExampleMatches {
  /** Ascending. */
  latents: Int32Array;
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

/**
 * What was counted of every latent while a dictionary is looked through: examples, peaks, quality and row of the best one. Four numbers side by side, since
 * they are needed together and latents come in no order. One search after the other uses the same memory.
 */
let counts = new Int32Array(0);

/** Looks at the examples that lie about the places of the phrase. */
export function matchExamples(index: SearchIndex, text: SearchText, phrase: PhrasePlaces): ExampleMatches {
  const { latents, examples: packed, contextStart, farthestBefore, farthestAfter } = index;
  if (counts.length < 4 * latents) counts = new Int32Array(4 * latents);
  else counts.fill(0, 0, 4 * latents);
  const counted = counts;
  for (const { context, spans } of byContext(text, phrase)) {
    const end = contextStart[context + 1];
    let row = contextStart[context];
    for (let from = 0; from < spans.length;) {
      // Spans of which the same examples may show more than one are looked at together, so that each example counts once.
      let last = spans[from].first + farthestBefore;
      let to = from + 1;
      for (; to < spans.length && spans[to].last - farthestAfter <= last; to++)
        last = spans[to].first + farthestBefore;
      row = firstFrom(packed, { row, end, position: spans[from].last - farthestAfter });
      for (; row < end; row++) {
        // As exampleAt unpacks it, without an object for each of the many examples looked at.
        const where = packed[2 * row + 1];
        const position = where & (mostPositions - 1);
        if (position > last) break;
        const starts = position - ((where >>> 20) & (mostBeside - 1));
        const ends = position + (where >>> 26);
        let whole = false;
        let peak = false;
        for (let at = from; at < to; at++) {
          const span = spans[at];
          if (starts > span.first || span.last > ends) continue;
          whole = true;
          peak ||= span.first <= position && position <= span.last;
        }
        if (!whole) continue;
        const who = packed[2 * row];
        const at = (who & (mostLatents - 1)) << 2;
        counted[at]++;
        let quality = 1 + (who >>> 24);
        if (peak) {
          counted[at + 1]++;
          quality += 1000;
        }
        if (quality > counted[at + 2]) {
          counted[at + 2] = quality;
          counted[at + 3] = row;
        }
      }
      from = to;
    }
  }
  return countedMatches(counted, latents);
}

function countedMatches(counted: Int32Array, latents: number): ExampleMatches {
  let found = 0;
  for (let latent = 0; latent < latents; latent++) if (counted[4 * latent] > 0) found++;
  const matches: ExampleMatches = {
    latents: new Int32Array(found),
    examples: new Int32Array(found),
    peaks: new Int32Array(found),
    best: new Int32Array(found),
  };
  for (let latent = 0, at = 0; at < found; latent++) {
    if (counted[4 * latent] === 0) continue;
    matches.latents[at] = latent;
    matches.examples[at] = counted[4 * latent];
    matches.peaks[at] = counted[4 * latent + 1];
    matches.best[at] = counted[4 * latent + 3];
    at++;
  }
  return matches;
}

/** The first row from `row` up to `end` whose peak is at `position` or later; rows of a context are sorted by it. */
function firstFrom(
  packed: Int32Array,
  { row, end, position }: { row: number; end: number; position: number },
): number {
  let low = row;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((packed[2 * middle + 1] & (mostPositions - 1)) < position) low = middle + 1;
    else high = middle;
  }
  return low;
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
