import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runKind } from '../spec/manifests/run.ts';
import { readManifest, readManifestSync } from '../store/readManifest.ts';
import { readTextFile, readTextFileSync } from './readTextFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'lazyscope-text-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'run.json');

test('a file within its budget is its text, missing ones and folders are named', async () => {
  writeFileSync(path, '{"é":1}');
  expect([await readTextFile(path, 8), readTextFileSync(path, 8)]).toEqual(['{"é":1}', '{"é":1}']);
  for (const [place, code] of [
    [join(folder, 'none'), 'not_found'],
    [folder, 'bad_input'],
  ] as const) {
    await expect(readTextFile(place, 8)).rejects.toMatchObject({ code });
    expect(() => readTextFileSync(place, 8)).toThrow(expect.objectContaining({ code }));
  }
});

test('a manifest of a gigabyte is refused before it is read, by its number of bytes', async () => {
  // A hole on the disk.
  writeFileSync(path, '');
  truncateSync(path, 2 ** 30);
  const before = process.memoryUsage().rss;
  const refused = {
    code: 'corrupt',
    message: expect.stringMatching(/has 1073741824 bytes, more than the \d+ that are read/),
  };
  await expect(readManifest(path, runKind)).rejects.toMatchObject(refused);
  expect(() => readManifestSync(path, runKind)).toThrow(expect.objectContaining(refused));
  expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
});
