import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTar } from './tarFile.ts';

const hasTar = spawnSync('tar', ['--version']).status === 0;

describe.skipIf(!hasTar)("archives of the system's tar", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lazyscope-tar-'));
    mkdirSync(join(folder, 'package', 'dist'), { recursive: true });
    writeFileSync(join(folder, 'package', 'empty'), '');
    writeFileSync(join(folder, 'package', 'dist', 'a.js'), 'a'.repeat(512));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function pack(...args: string[]): Buffer {
    const { stdout, status } = spawnSync('tar', ['-C', folder, '-cf', '-', ...args]);
    expect(status).toBe(0);
    return stdout;
  }
  const lengths = (bytes: Uint8Array) =>
    Object.fromEntries([...readTar(bytes, 'x.tar')].map(([name, content]) => [name, content.length]));

  test.each(['ustar', 'pax'])('files and their bytes, from the format %s', (format) => {
    const bytes = pack(`--format=${format}`, 'package/empty', 'package/dist');
    expect(lengths(bytes)).toMatchObject({ 'package/empty': 0, 'package/dist/a.js': 512 });
    expect(Buffer.from(readTar(bytes, 'x.tar').get('package/dist/a.js') ?? []).toString()).toBe(
      'a'.repeat(512),
    );
  });

  test('a long name that ustar splits in two is put together', () => {
    const long = join('package', 'd'.repeat(80), 'e'.repeat(60));
    mkdirSync(join(folder, long), { recursive: true });
    writeFileSync(join(folder, long, 'f'), 'f');
    expect(lengths(pack('--format=ustar', join(long, 'f')))).toEqual({ [join(long, 'f')]: 1 });
  });

  test('a name that needs a later extension is refused, not shortened', () => {
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other', 'ü'.repeat(60)), 'u');
    expect(() => readTar(pack('--format=pax', 'other'), 'x.tar')).toThrow(/a name is too long/);
  });

  test('a damaged header, a cut and a link are refused', () => {
    const bytes = pack('--format=ustar', 'package/dist/a.js');
    for (const at of [0, 130, 150]) {
      const damaged = Buffer.from(bytes);
      damaged[at] ^= 1;
      expect(() => readTar(damaged, 'x.tar'), String(at)).toThrow(/'x\.tar' is not a whole tar archive/);
    }
    for (const length of [100, 700, 1024])
      expect(() => readTar(bytes.subarray(0, length), 'x.tar')).toThrow(
        expect.objectContaining({ code: 'corrupt' }),
      );
    symlinkSync('/etc/passwd', join(folder, 'package', 'link'));
    expect(() => readTar(pack('--format=ustar', 'package/link'), 'x.tar')).toThrow(
      /neither a file nor a folder/,
    );
  });
});
