import { describe, expect, test } from 'vitest';
import {
  joinSplitCharacters,
  restOfCharacter,
  lineBreaks,
  runningPieces,
  tokenPieces,
  visibleToken,
} from './tokenText.ts';

describe('tokens', () => {
  test('whitespace is visible, and apart from the letters', () => {
    expect(tokenPieces(' the')).toEqual([
      { text: '·', kind: 'mark' },
      { text: 'the', kind: 'text' },
    ]);
    expect(visibleToken('\n\n')).toBe('↵↵');
    expect(visibleToken('\ta')).toBe('→a');
    expect(visibleToken('')).toBe('∅');
  });

  test('spaces of running text are spaces, so that lines break between words; line ends stay visible', () => {
    expect(runningPieces(' the')).toEqual([
      { text: ' ', kind: 'text' },
      { text: 'the', kind: 'text' },
    ]);
    expect(runningPieces('.\n')).toEqual([
      { text: '.', kind: 'text' },
      { text: '↵', kind: 'mark' },
    ]);
    expect(runningPieces('<|endoftext|>')).toEqual([{ text: '<|endoftext|>', kind: 'mark' }]);
    // A dot of the text itself is no space.
    expect(runningPieces('a·b')).toEqual([{ text: 'a·b', kind: 'text' }]);
  });

  test('control characters are bytes, not empty boxes', () => {
    expect(visibleToken('\u0005')).toBe('\\x05');
    expect(visibleToken('\u0093')).toBe('\\x93');
  });

  test('letters outside the basic plane stay whole', () => {
    expect(tokenPieces('𝛼')).toEqual([{ text: '𝛼', kind: 'text' }]);
  });

  test('lines break where the text did, and empty lines take no room', () => {
    expect(lineBreaks(['\n', '\n', 'a', '.\n', '\n', 'b'])).toEqual([
      false,
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(lineBreaks(['a', '\n', '\n', 'b'])).toEqual([false, true, false, false]);
  });
});

describe('characters that tokens split', () => {
  const rest = restOfCharacter;
  test('are joined on the token that they begin in; the tokens keep their places', () => {
    expect(joinSplitCharacters([' \\xE6', '\\x97', '\\xA5', '本'])).toEqual([' 日', rest, rest, '本']);
    expect(joinSplitCharacters(['\\xF0\\x9F', '\\x98\\x80!'])).toEqual(['😀', `${rest}!`]);
    expect(joinSplitCharacters(['a\\xC3', '\\xA9\\xC3', '\\xA8'])).toEqual(['aé', `${rest}è`, rest]);
  });

  test.each([
    [['\\xE6', 'x']],
    [['\\xE6', '\\x97']],
    [['\\x97', '\\xA5']],
    [['\\xE6', '\\x41', '\\xA5']],
    [['\\xED', '\\xA0', '\\x80']],
    [['\\xE6\\x97', 'a', '\\xA5']],
    [[]],
  ])('what makes no character stays bytes: %j', (texts: string[]) => {
    expect(joinSplitCharacters(texts)).toEqual(texts);
  });
});
