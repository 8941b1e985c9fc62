import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, expect, test } from 'vitest';
import { openZip } from './zipFile.ts';
import { writeStoredZip } from './writeStoredZip.ts';

const folder = mkdtempSync(join(tmpdir(), 'lazyscope-stored-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const files = {
  'a/first': [bytes('one '), bytes('and two')],
  empty: [],
  'größe.npy': [bytes('x'.repeat(100))],
};
const contents = { 'a/first': 'one and two', empty: '', 'größe.npy': 'x'.repeat(100) };

/** With so small a limit the same numbers stand where those of larger archives do. */
test.each([
  ['32 bits', undefined],
  ['zip64, for what is larger than 50 bytes', 50],
  ['zip64, for everything', -1],
])('%s: what was written is read back by others too', async (name, largest) => {
  const path = join(folder, `${name}.zip`);
  await writeStoredZip(path, files, largest);
  const zip = openZip(path);
  const read = zip.names.map((each) => [each, Buffer.from(zip.read(each)).toString()]);
  expect(Object.fromEntries(read)).toEqual(contents);
  if (largest === undefined)
    expect(
      Object.entries(unzipSync(readFileSync(path))).map(([each, found]) => [
        each,
        Buffer.from(found).toString(),
      ]),
    ).toEqual(Object.entries(contents));
  const again = join(folder, `${name}-again.zip`);
  await writeStoredZip(again, files, largest);
  expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
});

const python = process.env['LAZYSCOPE_PEERS_PYTHON'];
const why = python === undefined ? ' (skipped: LAZYSCOPE_PEERS_PYTHON names no Python)' : '';
test.skipIf(python === undefined)(`Python's zipfile reads them${why}`, async () => {
  const paths = [undefined, 50, -1].map((largest) => join(folder, `python-${largest}.zip`));
  for (const [i, largest] of [undefined, 50, -1].entries()) await writeStoredZip(paths[i], files, largest);
  const script =
    'import sys, zipfile, json\nfor path in sys.argv[1:]:\n z = zipfile.ZipFile(path)\n assert z.testzip() is None\n print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))';
  const { status, stdout, stderr } = spawnSync(python ?? '', ['-c', script, ...paths], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const read = stdout.trim().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
  expect(read).toEqual([contents, contents, contents]);
});
