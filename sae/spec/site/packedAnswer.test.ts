import { expect, test } from 'vitest';
import { packAnswer, unpackAnswer, type Json } from './packedAnswer.ts';

const texts = ['the', ' sea', ' whale'];
const text = (id: number) => texts[id] ?? `#${id}`;
const there = (value: Json) => JSON.stringify(packAnswer(value, text));
const andBack = (value: Json) => unpackAnswer(JSON.parse(there(value)) as Json, text);

test('texts of tokens are left out and put back where they stood', () => {
  const answer = {
    tokens: [
      { id: 1, text: ' sea' },
      { id: 7, text: '#7' },
    ],
    promoted: [{ id: 2, text: ' whale', logit: Math.fround(0.3) }],
    label: { id: 0, text: 'not its text' },
    none: [],
  };
  expect(there(answer)).toBe(
    '{"tokens":{"T":[1,7]},"promoted":[{"id":2,"logit":0.3}],"label":{"id":0,"text":"not its text"},"none":[]}',
  );
  expect(JSON.stringify(andBack(answer))).toBe(JSON.stringify(answer));
});

test('numbers come back to the bit, whether they have 32 bits or 64', () => {
  const random = Array.from({ length: 2000 }, (_, i) => Math.sin(i * i + 1) * 10 ** ((i % 60) - 30));
  const numbers = [
    0, 1, -3, 2 ** 53, 0.1, Math.fround(0.1), Math.fround(16777216.5), 1e-45, Math.fround(3.4e38), 0.5,
    ...random, ...random.map(Math.fround),
  ]; // prettier-ignore
  expect(andBack(numbers)).toEqual(numbers);
  // A third of the digits.
  const short = there(random.map(Math.fround)).length;
  expect(short).toBeLessThan(0.75 * JSON.stringify(random.map(Math.fround)).length);
});

test('truth values, texts, nulls and lists within lists stay what they are', () => {
  const answer = { a: [true, null, 'T', [[], [1, 0.25]]], b: { c: { d: false } } };
  expect(andBack(answer)).toEqual(answer);
});
