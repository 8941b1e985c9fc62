import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packTokens } from './packTokens.ts';
import { readText } from './readText.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-text-'));
async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

test('the datasets are whole: chapters of Moby-Dick, presidential addresses', async () => {
  const whale = await readText('dataset:moby-dick');
  expect(whale.documents).toHaveLength(139);
  expect(whale.text.length).toBeGreaterThan(1_200_000);
  expect(whale.text).toContain('Call me Ishmael.');
  const addresses = await readText('dataset:sotu');
  expect(addresses.documents.length).toBeGreaterThan(230);
  expect(addresses.text.length).toBeGreaterThan(10_000_000);
  expect(addresses.sha256).toMatch(/^[0-9a-f]{64}$/);
});

test('a file is split at <|endoftext|> lines', async () => {
  const text = await readText(
    await file('stories.txt', 'one\r\ntwo\n<|endoftext|>\nthree <|endoftext|> still three\n'),
  );
  expect(text).toMatchObject({
    source: 'stories.txt',
    documents: ['one\ntwo', 'three <|endoftext|> still three'],
  });
});

test('of JSON lines the texts are the documents, and other lines are refused by number', async () => {
  const lines = '{"text":"one\\r\\ntwo","id":7}\n\n{"text":" three "}\n{"text":""}\n';
  for (const name of ['stories.jsonl', 'stories.NDJSON'])
    expect((await readText(await file(name, lines))).documents).toEqual(['one\ntwo', 'three']);
  const refused = async (content: string) => readText(await file('bad.jsonl', content));
  await expect(refused('{"text":"a"}\nplain')).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringMatching(/Line 2 of '.*bad\.jsonl' is not JSON/),
  });
  for (const line of ['{"content":"a"}', '{"text":7}', 'null', '"text"'])
    await expect(refused(line)).rejects.toThrow(/Line 1 .* has no "text"/);
});

test('what is missing, empty, binary or not UTF-8 is refused by name', async () => {
  const refused = async (source: string) => readText(source).catch((error) => [error.code, error.message]);
  expect(await refused(join(folder, 'none.txt'))).toEqual(['not_found', expect.stringContaining('none.txt')]);
  expect(await refused('dataset:toString')).toEqual([
    'not_found',
    expect.stringContaining('dataset:moby-dick'),
  ]);
  expect(await refused(await file('empty.txt', ' \n'))).toEqual([
    'bad_input',
    expect.stringContaining('empty'),
  ]);
  expect(await refused(await file('latin.txt', Uint8Array.of(0x61, 0xe9, 0x62)))).toEqual([
    'bad_input',
    expect.stringContaining('UTF-8'),
  ]);
  expect(await refused(await file('zeros.bin', 'a\0b'))).toEqual([
    'bad_input',
    expect.stringContaining('zero bytes'),
  ]);
});

const letters = (separators: { bosId?: number; eosId?: number }) => ({
  ...separators,
  encode: (text: string) => [...text].map((c) => c.charCodeAt(0)),
});

test('contexts begin with the separator, which also stands between documents', () => {
  const packed = packTokens(letters({ bosId: 1, eosId: 2 }), ['abcde', 'fg', 'hij'], 4, Infinity);
  const shown = [...packed].map((t) => (t === 1 ? '|' : String.fromCharCode(t))).join('');
  expect(shown).toBe('|abc|de||fg||hij');
});

test('without any separator the tokens are cut as they come', () => {
  expect(packTokens(letters({}), ['abc', 'de'], 2, Infinity)).toEqual(Int32Array.from([97, 98, 99, 100]));
});

test('a long document is tokenised in pieces without losing a character, and only as much as is wanted', () => {
  const long = 'word '.repeat(50_000) + 'x'.repeat(100_000) + '😀'.repeat(40_000);
  let asked = 0;
  const counting = {
    encode: (text: string) => ((asked += text.length), [...text].map((c) => c.codePointAt(0) ?? 0)),
  };
  const all = packTokens(counting, [long], 10, Infinity);
  expect(String.fromCodePoint(...all.slice(-5))).toBe('😀'.repeat(5));
  expect(all.length).toBe([...long].length);
  asked = 0;
  expect(packTokens(counting, [long], 10, 3)).toHaveLength(30);
  expect(asked).toBeLessThan(33_000);
});
