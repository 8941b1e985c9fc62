/** A small WordPiece tokenizer against Hugging Face's tokenizers (scripts/peers/wordPieceTokenizer.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packTokens } from './packTokens.ts';
import { loadTokenizer } from './tokenizer.ts';

const folder = join(import.meta.dirname, 'fixtures', 'wordPiece');
const golden: { text: string; ids: number[]; decoded: string }[] = JSON.parse(
  readFileSync(join(folder, 'golden.json'), 'utf8'),
);
const tokenizer = loadTokenizer(folder);
const [cls, sep] = [2, 3];

test.each(golden)(
  '$text is cut into the same tokens, and they make the same text',
  ({ text, ids, decoded }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
  },
);

test('tokens are shown with the space before a word, and without the mark of those that go on', () => {
  const shown = tokenizer.encode('tests', { special: false }).map((id) => tokenizer.tokenText(id));
  expect(shown.join('')).toBe(' tests');
  expect(tokenizer.tokenText(cls)).toBe('[CLS]');
});

test('contexts begin with [CLS], end with [SEP] and have [SEP] between documents', () => {
  const documents = ['the test of a test', 'a world in the test is a test'];
  const length = 8;
  const packed = packTokens(tokenizer, documents, length, 10);
  expect(packed.length).toBeGreaterThanOrEqual(2 * length);
  for (let at = 0; at < packed.length; at += length) {
    const context = [...packed.subarray(at, at + length)];
    expect(context[0]).toBe(cls);
    expect(context.at(-1)).toBe(sep);
    expect(context.slice(1)).not.toContain(cls);
  }
  const text = documents.flatMap((document, i) => [
    ...(i > 0 ? [sep] : []),
    ...tokenizer.encode(document, { special: false }),
  ]);
  // Without the frame of each context, the text is there in order.
  const inner = [...packed].filter((_, at) => at % length !== 0 && at % length !== length - 1);
  expect(inner).toEqual(text.slice(0, inner.length));
});

test('where nothing is to separate documents, nothing ends contexts either', () => {
  expect([...packTokens(tokenizer, ['the test of a test'], 4, 1, 'nothing')]).not.toContain(sep);
});
