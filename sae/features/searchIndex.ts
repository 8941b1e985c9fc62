/**
 * runs/<run>/seed-<n>/search.safetensors: which of a dictionary's examples cover which part of the text, and which latents have a
 * token among those they promote and fire on.
 *
 * A phrase is looked up in the words of the text once for all dictionaries (searchText.ts), and every place of it leads to the
 * examples of its context. Tensors, all I32:
 *
 * - `contextStart` [contexts + 1] and `examples` [examples, 2]: the examples of context c are rows contextStart[c] … contextStart[c + 1] − 1.
 *   The first number is latent + 2²⁴ × strength, where strength, 0 to 127, is the activation at the peak as a share of the latent's
 *   largest. The second is position + 2²⁰ × before + 2²⁶ × after: where the peak is in its context, and how many tokens are
 *   shown before and after it. A firing that is chosen for two bands is one example. The rows of a context are sorted by position; earlier
 *   versions left them as they came, and then they are sorted when they are read.
 * - `tokenStart` [tokens + 1] and `tokenLatents`: of each token the latents that have it, each as 2 × latent, plus 1 where the latent
 *   fires on the token rather than promoting it.
 * - `firesOn` [latents, 5]: the tokens on which each latent is active most often, −1 where there are fewer.
 */
import { LazyscopeError } from '../errors.ts';
import type { SearchTensors } from './searchTensors.ts';

export const searchIndexVersion = '1';
/** What the packed numbers hold. */
export const mostLatents = 1 << 24;
export const mostPositions = 1 << 20;
export const mostBeside = 1 << 6;
export const fullStrength = 127;
export const shownTokens = 5;

/** An example as the index holds it. */
export interface IndexedExample {
  latent: number;
  /** 0 to 127: the activation at the peak as a share of the latent's largest. */
  strength: number;
  /** Of the peak in its context. */
  position: number;
  before: number;
  after: number;
}

/** Sorts the examples of each context by the position of their peak, those of one position as they came. */
export function sortByPosition(contextStart: Int32Array, examples: Int32Array): void {
  const unsorted = examples.slice();
  const positionAt = (row: number) => unsorted[2 * row + 1] & (mostPositions - 1);
  for (let context = 0; context + 1 < contextStart.length; context++) {
    const [from, to] = [contextStart[context], contextStart[context + 1]];
    let positions = 0;
    for (let row = from; row < to; row++) positions = Math.max(positions, positionAt(row) + 1);
    // Where the next example of each position goes, by counting those of the positions before it.
    const next = new Int32Array(positions + 1);
    for (let row = from; row < to; row++) next[positionAt(row) + 1]++;
    next[0] = from;
    for (let position = 0; position < positions; position++) next[position + 1] += next[position];
    for (let row = from; row < to; row++) {
      const at = 2 * next[positionAt(row)]++;
      examples[at] = unsorted[2 * row];
      examples[at + 1] = unsorted[2 * row + 1];
    }
  }
}

/** Whether the examples of each context are sorted by position, and how many tokens any of them shows before and after its peak, at most. */
function surveyed({ contextStart, examples }: Pick<SearchIndex, 'contextStart' | 'examples'>) {
  let sorted = true;
  let farthestBefore = 0;
  let farthestAfter = 0;
  for (let context = 0; context + 1 < contextStart.length; context++) {
    let earlier = 0;
    for (let row = contextStart[context]; row < contextStart[context + 1]; row++) {
      const where = examples[2 * row + 1];
      const position = where & (mostPositions - 1);
      const before = (where >>> 20) & (mostBeside - 1);
      const after = where >>> 26;
      if (position < earlier) sorted = false;
      earlier = position;
      if (before > farthestBefore) farthestBefore = before;
      if (after > farthestAfter) farthestAfter = after;
    }
  }
  return { sorted, farthestBefore, farthestAfter };
}

/** A dictionary's search index in memory. */
export interface SearchIndex {
  /** The key of the text that its examples are of. */
  text: string;
  latents: number;
  contextStart: Int32Array;
  /** [examples, 2], packed as the opening of this file says, and sorted by position in each context. */
  examples: Int32Array;
  /** The most tokens that any example shows before its peak, and after it. */
  farthestBefore: number;
  farthestAfter: number;
  tokenStart: Int32Array;
  tokenLatents: Int32Array;
  /** [latents, 5] */
  firesOn: Int32Array;
  bytes: number;
}

/** The index that a file holds. Throws 'corrupt' for a file of another kind. */
export function searchIndexOf(file: SearchTensors): SearchIndex {
  const latents = Number(file.metadata['latents']);
  const read = (name: string) => file.int32(name);
  const index = {
    text: file.metadata['text'] ?? '',
    latents,
    contextStart: read('contextStart'),
    examples: read('examples'),
    tokenStart: read('tokenStart'),
    tokenLatents: read('tokenLatents'),
    firesOn: read('firesOn'),
  };
  const { contextStart, examples, tokenStart, tokenLatents, firesOn } = index;
  const ends = (start: Int32Array, items: number) => start[0] === 0 && start.at(-1) === items;
  if (
    file.metadata['version'] !== searchIndexVersion ||
    firesOn.length !== latents * shownTokens ||
    !ends(contextStart, examples.length / 2) ||
    !ends(tokenStart, tokenLatents.length)
  )
    throw new LazyscopeError(
      'corrupt',
      `'${file.path}' is not a search index that can be read: run 'lazyscope index RUN --search-only'.`,
    );
  const bytes = 4 * [contextStart, examples, tokenStart, tokenLatents, firesOn].reduce((sum, { length }) => sum + length, 0); // prettier-ignore
  const { sorted, ...farthest } = surveyed(index);
  if (!sorted) sortByPosition(contextStart, examples);
  return { ...index, ...farthest, bytes };
}

export function exampleAt({ examples }: Pick<SearchIndex, 'examples'>, row: number): IndexedExample {
  const [who, where] = [examples[2 * row], examples[2 * row + 1]];
  return {
    latent: who & (mostLatents - 1),
    strength: who >>> 24,
    position: where & (mostPositions - 1),
    before: (where >>> 20) & (mostBeside - 1),
    after: where >>> 26,
  };
}
