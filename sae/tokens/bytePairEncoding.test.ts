import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BytePairEncoder, countWords, learnBytePairs } from './bytePairEncoding.ts';
import type { BytePairVocabulary } from './bytePairEncoding.ts';
import { makeTokenizer } from './tokenizer.ts';
import { endOfText, endOfTextId, tokenizerConfigJson, tokenizerJson } from './tokenizerFiles.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const text = readFileSync(join(fixtures, 'text.txt'), 'utf8');
const golden = JSON.parse(readFileSync(join(fixtures, 'bytePairs.json'), 'utf8')) as {
  vocabularySize: number;
  merges: string[];
  sentences: { text: string; ids: number[] }[];
};

function learn(source: string, size: number): BytePairVocabulary {
  const counts = new Map<string, number>();
  countWords(source, counts);
  return learnBytePairs(counts, size, [endOfText]);
}
function encode(vocabulary: BytePairVocabulary, source: string): number[] {
  const ids: number[] = [];
  new BytePairEncoder(vocabulary).encode(source, (word) => ids.push(...word));
  return ids;
}

test('learns the merges that Hugging Face’s trainer learns from the same text', () => {
  const { pieces, merges } = learn(text, golden.vocabularySize);
  expect(merges.map(([a, b]) => `${pieces[a]} ${pieces[b]}`)).toEqual(golden.merges);
});

test('encodes as Hugging Face’s tokenizers does, and so does its tokenizer.json', () => {
  const vocabulary = learn(text, golden.vocabularySize);
  const tokenizer = makeTokenizer(tokenizerJson(vocabulary), tokenizerConfigJson(64), 'test');
  for (const { text: sentence, ids } of golden.sentences) {
    expect(encode(vocabulary, sentence)).toEqual(ids);
    expect(tokenizer.encode(sentence, { special: false })).toEqual(ids);
    expect(tokenizer.encode(sentence)).toEqual([endOfTextId, ...ids]);
    expect(tokenizer.decode(ids)).toBe(sentence);
  }
  expect(tokenizer).toMatchObject({ vocabularySize: 320, bosId: 0, eosId: 0 });
});

test('the most frequent neighbours are joined first; of equals, the pair with the smaller ids', () => {
  const { pieces, merges } = learn('ab ab cd cd', 259);
  // ' a' would need a space: the words are 'ab', ' ab', ' cd', ' cd'.
  expect(merges.map(([a, b]) => pieces[a] + pieces[b])).toEqual(['ab', 'cd']);
});

test('overlapping pairs are joined from the left', () => {
  const vocabulary = learn('aaaaa', 258);
  const names = encode(vocabulary, 'aaaaa').map((id) => vocabulary.pieces[id]);
  expect(names).toEqual(['aa', 'aa', 'a']);
});

test('stops when nothing is left to join', () => {
  expect(learn('ab', 300).pieces).toHaveLength(258);
});
