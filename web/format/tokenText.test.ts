import { describe, expect, test } from 'vitest';
import { lineBreaks, runningPieces, tokenPieces, visibleToken } from './tokenText.ts';

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
