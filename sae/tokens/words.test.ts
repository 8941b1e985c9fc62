import { expect, test } from 'vitest';
import { foldWord, wordsOf, wordsOfTokens } from './words.ts';

test('words are runs of letters and digits, without case and accents', () => {
  expect(wordsOf('The  Captain’s café, No. 42!')).toEqual(['the', 'captain', 's', 'cafe', 'no', '42']);
  expect(wordsOf('Ünïcödé ΟΔΟΣ straße STRASSE İstanbul')).toEqual([
    'unicode',
    foldWord('οδος'),
    'strasse',
    'strasse',
    'istanbul',
  ]);
  expect(wordsOf('cafe\u0301')).toEqual(wordsOf('CAFÉ'));
  expect(wordsOf('ﬁsh')).toEqual(['fish']);
});

test('marks that are no accents stay, and Hangul stays whole', () => {
  expect(wordsOf('हिन्दी')).toEqual(['हिन्दी']);
  expect(wordsOf('한국어')).toEqual(['한국어']);
});

test('scripts without spaces give a word a character, and so do emoji', () => {
  expect(wordsOf('日本語とcats🐳')).toEqual(['日', '本', '語', 'と', 'cats', '🐳']);
});

test('there is no word in punctuation', () => {
  expect(wordsOf('"; -- %_*')).toEqual(['_']);
  expect(wordsOf(' …!? ')).toEqual([]);
});

test('a word over several tokens has the first and the last of them', () => {
  expect(wordsOfTokens([' the', ' wh', 'ale', '.', ' Sea', '’s'])).toEqual([
    { word: 'the', first: 0, last: 0 },
    { word: 'whale', first: 1, last: 2 },
    { word: 'sea', first: 4, last: 4 },
    { word: 's', first: 5, last: 5 },
  ]);
});

test('characters split over byte tokens are joined, accents among them', () => {
  expect(wordsOfTokens([' caf', '\\xC3', '\\xA9', ' \\xE6\\x97', '\\xA5', '本'])).toEqual([
    { word: 'cafe', first: 0, last: 2 },
    { word: '日', first: 3, last: 4 },
    { word: '本', first: 5, last: 5 },
  ]);
});

test('bytes that make no character end a word and lose nothing else', () => {
  expect(wordsOfTokens(['a\\xE6', 'b', '\\x97', 'c\\xE6'])).toEqual([
    { word: 'a', first: 0, last: 0 },
    { word: 'b', first: 1, last: 1 },
    { word: 'c', first: 3, last: 3 },
  ]);
});

test('a token that tokenizers add is a place of its own', () => {
  expect(wordsOfTokens(['end', '<|endoftext|>', ' begin'])).toEqual([
    { word: 'end', first: 0, last: 0 },
    { word: null, first: 1, last: 1 },
    { word: 'begin', first: 2, last: 2 },
  ]);
});
