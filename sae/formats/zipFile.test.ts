/** Extracting files of an archive to the disk. Reading them into memory is tested with PyTorch's archives. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { openZip } from './zipFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'lazyscope-zip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file is written to the disk piece by piece', () => {
  const path = join(folder, 'some.zip');
  // Longer than a piece, and not a repetition that a wrong order of pieces would leave as it is.
  const content = Buffer.from(Int32Array.from({ length: 700_000 }, (_, i) => i * i).buffer);
  const zipped = Buffer.from(
    zipSync({
      deflated: [content, { level: 6 }],
      stored: [content, { level: 0 }],
      empty: [new Uint8Array(), { level: 0 }],
    }),
  );
  let made = 0;
  const target = () => join(folder, `out-${made++}`);
  const start = (name: string) => {
    const at = zipped.indexOf(name);
    return at + name.length;
  };

  test.each(['deflated', 'stored', 'empty'])('%s', async (name) => {
    writeFileSync(path, zipped);
    const to = target();
    await openZip(path).extract(name, to);
    expect(readFileSync(to).equals(name === 'empty' ? Buffer.alloc(0) : content)).toBe(true);
  });

  test.each(['deflated', 'stored'])('a changed byte of the %s one is found', async (name) => {
    const damaged = Buffer.from(zipped);
    damaged[start(name) + 5000] ^= 0x10;
    writeFileSync(path, damaged);
    await expect(openZip(path).extract(name, target())).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('a length that the directory understates is found before more is written', async () => {
    const damaged = Buffer.from(zipped);
    const entry = damaged.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    damaged.writeUInt32LE(1_100_000, entry + 24);
    writeFileSync(path, damaged);
    const to = target();
    await expect(openZip(path).extract('deflated', to)).rejects.toThrow(
      /another length than its directory says/,
    );
    expect(readFileSync(to).length).toBeLessThanOrEqual(1_100_000);
  });

  test('what is there already is not overwritten', async () => {
    writeFileSync(path, zipped);
    const to = target();
    writeFileSync(to, 'mine');
    await expect(openZip(path).extract('stored', to)).rejects.toThrow(/EEXIST/);
    expect(readFileSync(to, 'utf8')).toBe('mine');
  });

  test('stopping ends it', async () => {
    writeFileSync(path, zipped);
    const to = target();
    await expect(openZip(path).extract('stored', to, AbortSignal.abort())).rejects.toThrow(/abort/i);
    expect(existsSync(to) && readFileSync(to).length === content.length).toBe(false);
  });

  test('an archive that is known to be packed more tightly may say so', () => {
    const tight = join(folder, 'tight.zip');
    writeFileSync(tight, zipSync({ zeros: [new Uint8Array(80 << 20), { level: 1 }] }));
    expect(() => openZip(tight)).toThrow(/more than is allowed/);
    expect(openZip(tight, 1000).size('zeros')).toBe(80 << 20);
  });
});
