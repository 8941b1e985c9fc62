import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GgufFile, openGguf } from '../../formats/gguf/ggufFile.ts';
import type { GgufValue } from '../../formats/gguf/ggufMetadata.ts';
import { GgufFields } from './ggufFields.ts';
import { ggufTokenizer } from './ggufTokenizer.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
interface Sentence {
  text: string;
  ids: number[];
  decoded?: string;
}
const golden = JSON.parse(readFileSync(join(fixtures, 'tokenizers.json'), 'utf8')) as {
  bytePairs: Record<string, Sentence[]>;
  sentencePieces: Sentence[];
};

/** The vocabulary of a file, with some of its metadata changed. */
function tokenizerOf(name: string, changes: Record<string, GgufValue | undefined> = {}) {
  const { path, version, metadata } = openGguf(join(fixtures, name));
  const changed = new Map(metadata);
  for (const [key, value] of Object.entries(changes))
    if (value === undefined) changed.delete(key);
    else changed.set(key, value);
  return ggufTokenizer(new GgufFields(new GgufFile(path, version, changed, new Map())), path);
}

describe('byte-level BPE gives the ids of Hugging Face’s tokenizers, with words cut as', () => {
  test.each(Object.entries(golden.bytePairs))('%s', (pre, sentences) => {
    const tokenizer = tokenizerOf('bytePairs.gguf', { 'tokenizer.ggml.pre': pre });
    for (const { text, ids } of sentences) expect(tokenizer.encode(text), text).toEqual(ids);
  });

  test('the ways differ on these sentences', () => {
    const all = Object.values(golden.bytePairs).map((sentences) => JSON.stringify(sentences));
    expect(new Set(all).size).toBe(all.length);
  });

  test('a token at the beginning comes where the file says so, and with Llama 3 where it says nothing', () => {
    const encode = (changes: Record<string, GgufValue | undefined>) =>
      tokenizerOf('bytePairs.gguf', changes).encode('whale')[0] === 0;
    expect(encode({})).toBe(false);
    expect(encode({ 'tokenizer.ggml.add_bos_token': true })).toBe(true);
    const silent = { 'tokenizer.ggml.add_bos_token': undefined };
    expect(encode(silent)).toBe(false);
    expect(encode({ ...silent, 'tokenizer.ggml.pre': 'llama-bpe' })).toBe(true);
  });
});

describe('SentencePiece BPE', () => {
  test('gives the ids and the text of the tokenizer.json that its scores are from', () => {
    const tokenizer = tokenizerOf('sentencePieces.gguf');
    for (const { text, ids, decoded } of golden.sentencePieces) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.decode(ids), text).toBe(decoded);
    }
  });
});

test.each([
  [{ 'tokenizer.ggml.pre': 'viking' }, /cuts words by 'viking'/],
  [{ 'tokenizer.ggml.pre': undefined }, /doesn't say how its tokenizer cuts words/],
  [{ 'tokenizer.ggml.model': 't5' }, /tokenizer of kind 't5'/],
  [{ 'tokenizer.ggml.merges': ['a zebra'] }, /merge 'a zebra'/],
  [{ 'tokenizer.ggml.add_eos_token': true }, /end-of-text token behind/],
  [{ 'tokenizer.ggml.bos_token_id': 9999 }, /'bos_token_id' 9999 and \d+ tokens/],
])('%o is refused by name', (changes, message) => {
  expect(() => tokenizerOf('bytePairs.gguf', changes)).toThrow(
    expect.objectContaining({ code: 'bad_input' }),
  );
  expect(() => tokenizerOf('bytePairs.gguf', changes)).toThrow(message);
});
