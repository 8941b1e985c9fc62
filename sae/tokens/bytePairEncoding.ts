/**
 * Byte-level byte-pair encoding: learnt from a text, applied to a text. Text is cut into words by GPT-2's
 * pattern, words into bytes, and the most frequent neighbours are joined again and again (Sennrich et al.,
 * 1508.07909; Radford et al., 2019). Ties go to the pair with the smaller ids, as in Hugging Face's trainer,
 * so both learn the same merges.
 */
import { byteCharacters } from './byteLevel.ts';

/** Where a word ends: GPT-2's pre-tokenizer. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BytePairVocabulary {
  /** Pieces by id: special tokens, the 256 bytes, then what the merges made. */
  pieces: string[];
  /** Pairs of ids in the order they are joined. */
  merges: [number, number][];
  /** How many of the first ids are special tokens. */
  specialTokens: number;
}

/** Adds the words of a text to `counts`. */
export function countWords(text: string, counts: Map<string, number>): void {
  for (const word of text.match(wordPattern) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
}

const pairKey = (a: number, b: number) => a * 0x100000 + b;

/** Learns merges until the vocabulary has `vocabularySize` pieces or no pair is left to join. */
export function learnBytePairs(
  counts: ReadonlyMap<string, number>,
  vocabularySize: number,
  specialTokens: readonly string[],
): BytePairVocabulary {
  const pieces = [...specialTokens, ...[...byteCharacters].sort()];
  const idOfPiece = new Map(pieces.map((piece, id) => [piece, id]));
  const idOfByte = byteCharacters.map((character) => idOfPiece.get(character)!);

  const words: number[][] = [];
  const frequencies: number[] = [];
  for (const [word, count] of counts) {
    words.push(Array.from(encoder.encode(word), (byte) => idOfByte[byte]));
    frequencies.push(count);
  }

  const pairCounts = new Map<number, number>();
  /** Words in which a pair has stood; some may have lost it since. */
  const places = new Map<number, number[]>();
  const add = (word: number, sign: 1 | -1) => {
    const ids = words[word];
    for (let i = 0; i + 1 < ids.length; i++) {
      const key = pairKey(ids[i], ids[i + 1]);
      pairCounts.set(key, (pairCounts.get(key) ?? 0) + sign * frequencies[word]);
      if (sign < 0) continue;
      const list = places.get(key);
      if (!list) places.set(key, [word]);
      else if (list[list.length - 1] !== word) list.push(word);
    }
  };
  for (let word = 0; word < words.length; word++) add(word, 1);

  const queue = new PairQueue();
  for (const [key, count] of pairCounts) queue.push(count, key);
  const merges: [number, number][] = [];
  while (pieces.length < vocabularySize) {
    const top = queue.pop();
    if (!top) break;
    const current = pairCounts.get(top.key) ?? 0;
    if (current !== top.count) {
      // The count fell since it was queued.
      if (current > 0) queue.push(current, top.key);
      continue;
    }
    const left = Math.floor(top.key / 0x100000);
    const right = top.key % 0x100000;
    const piece = pieces[left] + pieces[right];
    // Two different pairs can spell the same piece.
    let id = idOfPiece.get(piece);
    if (id === undefined) {
      id = pieces.push(piece) - 1;
      idOfPiece.set(piece, id);
    }
    merges.push([left, right]);
    const changed = new Set<number>();
    for (const word of places.get(top.key) ?? []) {
      const ids = words[word];
      const joined = joinPair(ids, left, right, id);
      if (joined.length === ids.length) continue;
      add(word, -1);
      words[word] = joined;
      add(word, 1);
      for (let i = 0; i < joined.length; i++) {
        if (joined[i] !== id) continue;
        if (i > 0) changed.add(pairKey(joined[i - 1], id));
        if (i + 1 < joined.length) changed.add(pairKey(id, joined[i + 1]));
      }
    }
    pairCounts.delete(top.key);
    places.delete(top.key);
    for (const key of changed) queue.push(pairCounts.get(key) ?? 0, key);
  }
  return { pieces, merges, specialTokens: specialTokens.length };
}

const encoder = new TextEncoder();

function joinPair(ids: readonly number[], left: number, right: number, id: number): number[] {
  const joined: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      joined.push(id);
      i++;
    } else joined.push(ids[i]);
  }
  return joined;
}

/** Applies learnt merges. A word is worked out once and remembered. */
export class BytePairEncoder {
  #idOfByte: number[];
  #merges = new Map<number, { rank: number; id: number }>();
  #words = new Map<string, Uint16Array>();

  /** At most 65,536 pieces: ids are 16 bits wide. */
  constructor({ pieces, merges }: BytePairVocabulary) {
    const idOfPiece = new Map(pieces.map((piece, id) => [piece, id]));
    this.#idOfByte = byteCharacters.map((character) => idOfPiece.get(character)!);
    merges.forEach(([a, b], rank) =>
      this.#merges.set(pairKey(a, b), { rank, id: idOfPiece.get(pieces[a] + pieces[b])! }),
    );
  }

  /** Calls `emit` with the ids of each word in turn. Special tokens are not looked for. */
  encode(text: string, emit: (ids: Uint16Array) => void): void {
    for (const word of text.match(wordPattern) ?? []) {
      let ids = this.#words.get(word);
      if (!ids) {
        ids = this.#encodeWord(word);
        if (this.#words.size < 2_000_000) this.#words.set(word, ids);
      }
      emit(ids);
    }
  }

  #encodeWord(word: string): Uint16Array {
    let ids = Array.from(encoder.encode(word), (byte) => this.#idOfByte[byte]);
    for (;;) {
      let best: { rank: number; id: number } | undefined;
      let at = 0;
      for (let i = 0; i + 1 < ids.length; i++) {
        const merge = this.#merges.get(pairKey(ids[i], ids[i + 1]));
        if (merge && (!best || merge.rank < best.rank)) {
          best = merge;
          at = i;
        }
      }
      if (!best) return Uint16Array.from(ids);
      ids = joinPair(ids, ids[at], ids[at + 1], best.id);
    }
  }
}

/** Pairs by count, largest first; ties by key, smallest first. A binary heap. */
class PairQueue {
  #counts: number[] = [];
  #keys: number[] = [];

  push(count: number, key: number): void {
    let i = this.#counts.push(count) - 1;
    this.#keys.push(key);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  pop(): { count: number; key: number } | undefined {
    if (this.#counts.length === 0) return undefined;
    const last = this.#counts.length - 1;
    this.#swap(0, last);
    const top = { count: this.#counts.pop()!, key: this.#keys.pop()! };
    for (let i = 0; ;) {
      let first = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < last && this.#before(child, first)) first = child;
      if (first === i) return top;
      this.#swap(i, first);
      i = first;
    }
  }

  #before(i: number, j: number): boolean {
    return (
      this.#counts[i] > this.#counts[j] ||
      (this.#counts[i] === this.#counts[j] && this.#keys[i] < this.#keys[j])
    );
  }

  #swap(i: number, j: number): void {
    [this.#counts[i], this.#counts[j]] = [this.#counts[j], this.#counts[i]];
    [this.#keys[i], this.#keys[j]] = [this.#keys[j], this.#keys[i]];
  }
}
