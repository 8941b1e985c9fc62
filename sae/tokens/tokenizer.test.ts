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

test('the post-processor decides whether a beginning is added, whatever add_bos_token says, as in transformers', () => {
  const bos_token = '<|endoftext|>';
  for (const add_bos_token of [undefined, true, false]) {
    expect(byteLevel({ bos_token, add_bos_token }).encode('x')).toEqual([0, idOf(0x78)]);
    const bare = makeTokenizer(letters, { bos_token: '<s>', add_bos_token }, 'test');
    expect(bare.encode('ab')).toEqual([4, 5]);
  }
});

// The expected ids and texts of these tests are what transformers 5.24 gives for the same files.
const special = ['<s>', '</s>', '<unk>'].map((content, id) => ({
  id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true,
})); // prettier-ignore
const pieces = ['<s>', '</s>', '<unk>', ' ', 'a', 'b', '.', ',', "'", 'n', 't', 'x', '!'];
const letters = {
  version: '1.0',
  added_tokens: special,
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: { type: 'Fuse' },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    merges: [],
  },
};

test('decoding takes no space away, whether the configuration is silent about it or not', () => {
  for (const clean_up_tokenization_spaces of [undefined, true, false])
    expect(
      makeTokenizer(letters, { clean_up_tokenization_spaces }, 'test').decode([
        4, 3, 6, 3, 7, 3, 8, 9, 8, 10, 3, 12,
      ]),
    ).toBe("a . , 'n't !");
});

test('an added token that may only be a word of its own is refused by name', () => {
  const added = { id: 13, content: 'nt', single_word: true, lstrip: false, rstrip: false, normalized: false, special: false }; // prettier-ignore
  expect(() => makeTokenizer({ ...letters, added_tokens: [...special, added] }, {}, 'test')).toThrow(
    expect.objectContaining({ code: 'bad_input', message: expect.stringMatching(/'nt' with single_word/) }),
  );
});

test('a Unigram tokenizer with byte fallback writes what no piece covers as bytes', () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => [
    `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    -9,
  ]);
  const unigram = (byte_fallback: boolean, vocab = bytes) => ({
    ...letters,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
      ],
    },
    model: {
      type: 'Unigram',
      unk_id: 2,
      byte_fallback,
      vocab: [['<s>', 0], ['</s>', 0], ['<unk>', 0], ['▁', -2], ['a', -3], ['b', -3], ...vocab],
    },
  }); // prettier-ignore
  const tokenizer = makeTokenizer(unigram(true), {}, 'test');
  expect(tokenizer.encode('aéb')).toEqual([4, 201, 175, 5]);
  expect(tokenizer.encode('a🐋éxb')).toEqual([4, 246, 165, 150, 145, 201, 175, 126, 5]);
  expect(tokenizer.decode(tokenizer.encode('a🐋éxb'))).toBe('a🐋éxb');
  expect(makeTokenizer(unigram(false), {}, 'test').encode('aéxb')).toEqual([4, 2, 5]);
  // Without the byte A9 there is no way to write é.
  const lacking = bytes.filter(([piece]) => piece !== '<0xA9>');
  expect(makeTokenizer(unigram(true, lacking), {}, 'test').encode('aéb')).toEqual([4, 2, 5]);
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
