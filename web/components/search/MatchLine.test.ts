import { expect, test } from 'vitest';
import { matchWords } from './MatchLine.tsx';

const example = { context: 0, position: 1, start: 0, tokens: [], strength: 1, matches: [] };
const nothing = { byLabel: false, match: null, firesOn: false, promotes: false };

test('each reason is named once, the strongest first', () => {
  expect(matchWords(nothing)).toEqual([]);
  expect(matchWords({ ...nothing, byLabel: true, promotes: true })).toEqual([
    'in its label',
    'a token it promotes',
  ]);
  expect(matchWords({ ...nothing, match: { examples: 1, peaks: 0, example }, firesOn: true })).toEqual([
    '1 example',
    'a token it fires on',
  ]);
  expect(matchWords({ ...nothing, match: { examples: 12, peaks: 3, example } })).toEqual([
    '12 examples',
    'strongest on it in 3',
  ]);
});
