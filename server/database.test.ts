/** What a database that can't be opened says: its file holds the labels, so nobody should be told to throw it away. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from './database.ts';

test("a data folder with '?' in its name is refused for that reason", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-what?-'));
  await expect(Database.open(join(folder, 'lazyscope.duckdb'))).rejects.toMatchObject({
    code: 'bad_input',
    message: expect.stringMatching(/has a '\?' in it.*choose a data folder without one/),
  });
});

test('a damaged database keeps its bytes, and the message says what moving it away would lose', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'lazyscope-database-')), 'lazyscope.duckdb');
  await writeFile(path, 'no database at all');
  await expect(Database.open(path)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/put a backup of it back.*without its labels/),
  });
  expect(await readFile(path, 'utf8')).toBe('no database at all');
});
