import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { packText, packTokens } from '../packTokens.ts';
import { readText } from '../readText.ts';
import type { TextOptions } from './openText.ts';
import { plainTextPieces } from './plainText.ts';

/** Written by pyarrow, zstandard and Python's lzma and gzip: scripts/peers/textFixtures.py. */
const fixtures = join(import.meta.dirname, 'fixtures');
const written: string[] = JSON.parse(readFileSync(join(fixtures, 'documents.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'lazyscope-texts-'));

/** A file of this content, under a folder of its own. */
function file(name: string, content: string | Uint8Array): string {
  const path = join(mkdtempSync(join(folder, 'f-')), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}
const documentsOf = async (source: string, options?: TextOptions) =>
  (await readText(source, options)).documents;
const refusal = async (source: string, options?: TextOptions) =>
  documentsOf(source, options).then(
    () => 'accepted',
    (error) => `${error.code}: ${error.message}`,
  );

describe('what other programs write gives their documents', () => {
  test.each([
    ['rows.parquet', 'body "x"'],
    ['one[column].parquet', undefined],
    ['rows.arrow', 'body "x"'],
    ['rows.stream.arrow', 'body "x"'],
    ['compressed.feather', 'body "x"'],
    ['large.arrow', undefined],
    ['dictionary.arrow', undefined],
    ['plain.gz', undefined],
    ['plain.xz', undefined],
    ['two.xz', undefined],
    ['lines.zst', undefined],
  ])('%s', async (name, field) => {
    expect(await documentsOf(join(fixtures, name), { field })).toEqual(written);
  });

  test('another column gives other documents, and its order is that of the rows', async () => {
    const titles = Array.from({ length: 62 }, (_, i) => `title ${i}`);
    for (const name of ['rows.parquet', 'rows.arrow', 'rows.stream.arrow'])
      expect(await documentsOf(join(fixtures, name), { field: 'title' })).toEqual(titles);
  });

  test('the kind is told by the content, whatever the name says', async () => {
    const as = (name: string, fixture: string) => file(name, readFileSync(join(fixtures, fixture)));
    for (const [name, fixture] of [
      ['text.txt', 'plain.xz'],
      ['text.jsonl.gz', 'lines.zst'],
      ['text.zst', 'plain.gz'],
      ['text.jsonl', 'large.arrow'],
      ['text.arrow', 'one[column].parquet'],
    ])
      expect(await documentsOf(as(name, fixture))).toEqual(written);
    expect(await documentsOf(file('text.gz', 'no gzip'))).toEqual(['no gzip']);
    expect(await documentsOf(file('objects.txt', '\n{"text":"a"}\n{"text":"b"}\n'))).toEqual(['a', 'b']);
    expect(await documentsOf(file('code.txt', '{\n  "text": 1\n}\n'))).toEqual(['{\n  "text": 1\n}']);
  });

  test('of JSON lines, --text-field chooses', async () => {
    const path = file('x.jsonl', '{"text":"a","body":"b"}\n{"body":"c","text":null}\n');
    expect(await documentsOf(path, { field: 'body' })).toEqual(['b', 'c']);
    expect(await refusal(path)).toMatch(/^bad_input: Line 2 of .* has no "text".*--text-field \(body\)/);
  });
});

test('a folder is read in the order of its paths, files of all kinds together, hidden ones left out', async () => {
  const all = mkdtempSync(join(folder, 'all-'));
  const put = (name: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(all, name)), { recursive: true });
    writeFileSync(join(all, name), content);
  };
  put('b/2.txt', 'from b/2');
  put('b/10.txt.gz', gzipSync('from b/10'));
  put('a.jsonl', '{"text":"first"}\n{"text":"second"}');
  put('c.txt', 'one\n<|endoftext|>\ntwo');
  put('.hidden', Uint8Array.of(0, 255));
  put('.git/config', 'none');
  put('empty.txt', '');
  cpSync(join(fixtures, 'large.arrow'), join(all, 'd.arrow'));
  symlinkSync(join(all, 'c.txt'), join(all, 'e.txt'));
  const expected = ['first', 'second', 'from b/10', 'from b/2', 'one', 'two', ...written, 'one', 'two'];
  expect(await documentsOf(all)).toEqual(expected);
  // Plain text has no fields, and may stand beside what has one.
  expect(await documentsOf(all, { field: 'text' })).toEqual(expected);
  symlinkSync(all, join(all, 'b', 'again'));
  expect(await refusal(all)).toMatch(/^bad_input: The folder '.*again' .* link/);
  expect(await refusal(mkdtempSync(join(folder, 'none-')))).toMatch(/^bad_input: The folder .* no files/);
});

test('a data set that was fetched is a folder by its name', async () => {
  const datasets = mkdtempSync(join(folder, 'sets-'));
  mkdirSync(join(datasets, 'stories', 'data'), { recursive: true });
  cpSync(join(fixtures, 'one[column].parquet'), join(datasets, 'stories', 'data', 'train.parquet'));
  expect(await readText('dataset:stories', { datasets })).toMatchObject({
    source: 'dataset:stories',
    documents: written,
  });
  expect(await refusal('dataset:tales', { datasets })).toMatch(
    /^not_found: .*dataset:sotu or dataset:stories.*'lazyscope datasets get'/,
  );
  expect(await refusal('dataset:../sets', { datasets })).toMatch(/^not_found/);
});

describe('what is wrong is said in a sentence', () => {
  test.each([
    ['rows.parquet', undefined, /bad_input: .*several columns of text.*--text-field \(body "x", title\)/],
    ['rows.arrow', undefined, /bad_input: .*several columns of text.*--text-field \(body "x", title\)/],
    [
      'rows.parquet',
      'content',
      /bad_input: .*no column 'content': it has id \(BIGINT\), body "x" \(VARCHAR\)/,
    ],
    ['rows.arrow', 'content', /bad_input: .*no column 'content': it has id \(Int64\), body "x" \(Utf8\)/],
    ['rows.parquet', 'id', /bad_input: Column 'id' .* holds BIGINT rather than text/],
    ['numbers.parquet', undefined, /bad_input: .*no column of text: it has id \(BIGINT\)/],
    ['sha256.xz', undefined, /corrupt: .*without --check/],
    ['plain.gz', 'text', /bad_input: .*plain text and has no field 'text'/],
  ])('%s, %s', async (name, field, message) => {
    expect(await refusal(join(fixtures, name), { field })).toMatch(message);
  });

  // Cut anywhere, and not only where a reader would stumble.
  test.each([
    ['plain.gz', undefined], ['plain.xz', undefined], ['two.xz', undefined], ['lines.zst', undefined],
    ['rows.parquet', 'title'], ['rows.arrow', 'title'], ['rows.stream.arrow', 'title'], ['large.arrow', undefined],
  ])('%s cut short', async (name, field) => {
    const whole = readFileSync(join(fixtures, name));
    for (let i = 1; i < 24; i++) {
      const cut = whole.subarray(0, Math.max(9, Math.floor((whole.length * i) / 24)));
      expect(await refusal(file(`cut-${name}`, cut), { field })).toMatch(/^corrupt: .*cut-.*(again|read)/);
    }
    for (const less of [1, 4, 8])
      expect(await refusal(file(`cut-${name}`, whole.subarray(0, -less)), { field })).toMatch(/^corrupt/);
  }); // prettier-ignore

  test.each(['plain.gz', 'plain.xz', 'lines.zst'])('%s with other bytes in it', async (name) => {
    const broken = readFileSync(join(fixtures, name));
    for (let at = 60; at < 64; at++) broken[at] ^= 0x55;
    expect(await refusal(file(name, broken))).toMatch(/^corrupt: .*can't be unpacked/);
  });

  test.each([
    ['zip', 'PK\x03\x04rest', /a zip archive/],
    ['tar', `${'x'.repeat(257)}ustar`, /a tar archive/],
    ['bz2', 'BZh91AY', /bzip2/],
    ['parquet', 'version https://git-lfs.github.com/spec/v1\noid sha256:12', /Git LFS pointer.*git lfs pull/],
    ['json', '[{"text":"a"}]', /JSON, but not one object a line/],
    ['txt', 'a\0b', /zero bytes/],
  ])('%s', async (ending, content, message) => {
    expect(await refusal(file(`it.${ending}`, Buffer.from(content, 'latin1')))).toMatch(message);
  });

  test('inside a compressed file too', async () => {
    expect(await refusal(file('a.gz', gzipSync(Uint8Array.of(0x61, 0xe9, 0x62))))).toMatch(/not UTF-8/);
    expect(await refusal(file('a.gz', gzipSync(readFileSync(join(fixtures, 'large.arrow')))))).toMatch(
      /holds arrow stream that is compressed as a whole: unpack it/,
    );
    expect(await refusal(file('a.gz', gzipSync('grüße').subarray(0, -9)))).toMatch(/^corrupt/);
    expect(await refusal(file('a.txt', Buffer.from('grüße').subarray(0, 3)))).toMatch(/not UTF-8/);
  });
});

test('how plain text comes in changes neither documents nor tokens', async () => {
  const text = '\ufeff \r\n one\r\ntwo \r\n<|endoftext|>\t\n\n three <|endoftext|>\nfour\r\n<|endoftext|>\n \r\n<|endoftext|>\nfive'; // prettier-ignore
  const long = `${text}\n${'word '.repeat(30_000)}${'x'.repeat(70_000)}${'😀'.repeat(40_000)}`;
  const whole = long.split(/^<\|endoftext\|>\s*$/m).map((part) => part.replaceAll('\r\n', '\n').trim());
  const expected = whole.filter((document) => document !== '');
  const letters = { bosId: 1, encode: (piece: string) => [piece.length, ...piece.slice(0, 50)].map(Number) };
  for (const size of [1, 2, 3]) {
    async function* inPieces() {
      for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
    }
    const documents: string[] = [];
    for await (const piece of plainTextPieces(inPieces()))
      if (piece.startsDocument) documents.push(piece.text);
      else documents[documents.length - 1] += piece.text;
    expect(documents).toEqual(['one\ntwo', 'three <|endoftext|>\nfour', 'five']);
  }
  const tokens = packTokens(letters, expected, 16, 500);
  expect(tokens.length).toBeGreaterThan(16 * 20);
  for (const size of [13, 64, 5000, 1 << 20]) {
    async function* inPieces() {
      for (let at = 0; at < long.length; at += size) yield long.slice(at, at + size);
    }
    const documents: string[] = [];
    for await (const piece of plainTextPieces(inPieces()))
      if (piece.startsDocument) documents.push(piece.text);
      else documents[documents.length - 1] += piece.text;
    expect(documents).toEqual(expected);
    expect(await packText(letters, plainTextPieces(inPieces()), 16, 500)).toEqual(tokens);
  }
});
