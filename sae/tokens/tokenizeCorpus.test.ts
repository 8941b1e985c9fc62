import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openText } from './text/openText.ts';
import { tokenizeCorpus } from './tokenizeCorpus.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-corpus-'));
const documents = Array.from({ length: 50 }, (_, i) => `Document ${i} of a corpus.\nIt has ${i * 37} words.`);

test('the same documents give the same tokens, whatever they come in; another field gives others', async () => {
  const plain = join(folder, 'plain.txt');
  await writeFile(plain, documents.join('<|endoftext|>'));
  const lines = join(folder, 'lines.jsonl.gz');
  await writeFile(
    lines,
    gzipSync(documents.map((text, i) => JSON.stringify({ text, other: `${text} ${i}` })).join('\n')),
  );
  const many = await mkdtemp(join(folder, 'many-'));
  for (const [i, text] of documents.entries())
    await writeFile(join(many, `${String(i).padStart(3, '0')}.txt`), text);
  const size = { vocabularySize: 280 };
  const one = await tokenizeCorpus({ text: plain, folder: join(folder, 'one'), ...size });
  const two = await tokenizeCorpus({ text: lines, folder: join(folder, 'two'), ...size });
  const three = await tokenizeCorpus({ text: await openText(many), folder: join(folder, 'three'), ...size });
  expect(one.manifest).toMatchObject({ documents: 50, source: 'plain.txt' });
  for (const other of [two, three]) {
    expect(other.manifest).toMatchObject({ documents: 50, tokens: one.manifest.tokens });
    expect(other.tokens).toEqual(one.tokens);
  }
  // A corpus is used again only for the same text and field.
  const before = await readFile(join(folder, 'two', 'corpus.json'), 'utf8');
  await tokenizeCorpus({ text: lines, folder: join(folder, 'two'), ...size });
  expect(await readFile(join(folder, 'two', 'corpus.json'), 'utf8')).toBe(before);
  const other = await tokenizeCorpus({ text: lines, field: 'other', folder: join(folder, 'two'), ...size });
  expect(other.manifest.tokens).toBeGreaterThan(one.manifest.tokens);
  expect(other.manifest.sha256).not.toBe(two.manifest.sha256);
});
