import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { byteCharacters } from './byteLevel.ts';
import { loadTokenizer, makeTokenizer } from './tokenizer.ts';
import { tokenizerJson } from './tokenizerFiles.ts';

const byteLevel = (config: object) =>
  makeTokenizer(
    tokenizerJson({
      pieces: ['<|endoftext|>', ...byteCharacters, 'Ġa'],
      merges: [[33, 66]],
      specialTokens: 1,
    }),
    config,
    'test',
  );
const idOf = (byte: number) => byte + 1;

test('a token is shown as its text, a leading space kept, part of a character in hexadecimal', () => {
  const tokenizer = byteLevel({});
  expect(tokenizer.tokenText(257)).toBe(' a');
  expect(tokenizer.tokenText(idOf(0x0a))).toBe('\n');
  expect(tokenizer.tokenText(idOf(0xc3))).toBe('\\xC3');
  expect(tokenizer.tokenText(0)).toBe('<|endoftext|>');
  expect(() => tokenizer.tokenText(258)).toThrow(/258 is not in the vocabulary/);
});

test('tokenizer_config.json decides whether a beginning is added, the post-processor when it is silent', () => {
  const bos_token = '<|endoftext|>';
  const first = (config: object) => byteLevel(config).encode('x')[0];
  expect(first({ bos_token })).toBe(0);
  expect(first({ bos_token, add_bos_token: true })).toBe(0);
  expect(first({ bos_token: { content: bos_token }, add_bos_token: false })).toBe(idOf(0x78));
});

test('sentencepiece-like pieces: ▁ is a space, <0x0A> is its byte', () => {
  const tokenizer = makeTokenizer(
    {
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
      model: { type: 'BPE', vocab: { '▁the': 0, '<0x0A>': 1, '<0xE2>': 2 }, merges: [], byte_fallback: true },
    },
    {},
    'test',
  );
  expect([0, 1, 2].map((id) => tokenizer.tokenText(id))).toEqual([' the', '\n', '\\xE2']);
});

test('a damaged or missing tokenizer.json is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-tokenizer-'));
  try {
    expect(() => loadTokenizer(folder)).toThrow(expect.objectContaining({ code: 'not_found' }));
    writeFileSync(join(folder, 'tokenizer.json'), '{"model":');
    expect(() => loadTokenizer(folder)).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringContaining('tokenizer.json') }),
    );
    writeFileSync(join(folder, 'tokenizer.json'), '{"model":{"type":"Nonsense","vocab":{}}}');
    expect(() => loadTokenizer(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
