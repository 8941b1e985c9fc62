import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, it } from 'vitest';
import { drawDocuments } from '../../probing/drawDocuments.ts';
import { labelledDocuments, type LabelledDocument } from './labelledDocuments.ts';

const folder = mkdtempSync(join(tmpdir(), 'lazyscope-classes-'));
const file = (name: string, bytes: string | Uint8Array) => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
async function read(path: string, options = { textField: 'text', labelField: 'label' }) {
  const documents: LabelledDocument[] = [];
  for await (const document of labelledDocuments(path, options)) documents.push(document);
  return documents;
}

const lines =
  '{"text": "one", "label": 1}\n\n{"text": "two", "label": "b"}\n{"text": " ", "label": "b"}\n{"text": "three", "label": null}\n{"text": "four", "label": true}\n';
const expected = [
  { text: 'one', label: '1' },
  { text: 'two', label: 'b' },
  { text: 'four', label: 'true' },
];

describe('documents of known classes', () => {
  it('are read from JSON lines, plain or packed', async () => {
    expect(await read(file('plain.jsonl', lines))).toEqual(expected);
    expect(await read(file('packed.jsonl.gz', gzipSync(lines)))).toEqual(expected);
  });

  it('are read from Parquet, with the columns that are named', async () => {
    const path = join(folder, 'table.parquet');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    await connection.run(
      `COPY (SELECT * FROM (VALUES ('one', 1), ('two', 2), (NULL, 1), ('four', NULL)) t(body, stars)) TO '${path}' (FORMAT parquet)`,
    );
    expect(await read(path, { textField: 'body', labelField: 'stars' })).toEqual([
      { text: 'one', label: '1' },
      { text: 'two', label: '2' },
    ]);
    await expect(read(path, { textField: 'body', labelField: 'score' })).rejects.toThrow(
      /no column 'score': choose one with --label-field \(body, stars\)/,
    );
  });

  it('are read from the bundled addresses', async () => {
    const all = await read('dataset:sotu', { textField: 'text', labelField: 'party' });
    expect(all.filter(({ label }) => label === 'Republican')).toHaveLength(92);
  });

  it('name the line that lacks a field, and say which there are', async () => {
    await expect(read(file('other.jsonl', '{"text": "a", "stars": 3}'))).rejects.toThrow(
      /Line 1 of '.*other\.jsonl' has no "label": choose one with --label-field \(text, stars\)/,
    );
    await expect(read(file('words.txt', 'just words'))).rejects.toThrow(/Line 1 .* is no JSON object/);
    await expect(read('dataset:moby-dick')).rejects.toThrow(/has no classes/);
  });
});

describe('drawn for probes', () => {
  async function* of(counts: Record<string, number>) {
    for (const [label, count] of Object.entries(counts))
      for (let i = 0; i < count; i++) yield { text: `${label} ${i}`, label };
  }

  it('every class gives as many, and none twice; small classes are left out', async () => {
    const drawn = await drawDocuments(of({ b: 50, a: 30, rare: 9, c: 12 }), 40, undefined);
    expect(drawn.map(({ name }) => name)).toEqual(['a', 'b']);
    for (const { name, train, test } of drawn) {
      expect([train.length, test.length]).toEqual([24, 6]);
      expect(new Set([...train, ...test]).size).toBe(30);
      for (const text of [...train, ...test]) expect(text).toMatch(new RegExp(`^${name} `));
    }
  });

  it('one class is too few', async () => {
    await expect(drawDocuments(of({ a: 20, b: 3 }), 40, undefined)).rejects.toThrow(
      /1 classes .*--label-field/,
    );
  });
});
