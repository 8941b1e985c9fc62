import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../formats/safetensors.ts';
import { atomically, writeFileAtomic, writeJsonAtomic } from './atomicWrite.ts';
import { writeParquet } from './parquet.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-atomic-'));

test('a file appears whole, replaces the old one, and makes its folder', async () => {
  const path = join(folder, 'deep', 'a.json');
  await writeJsonAtomic(path, { n: 1 });
  await writeFileAtomic(path, 'second');
  expect(await readFile(path, 'utf8')).toBe('second');
  expect(await readdir(join(folder, 'deep'))).toEqual(['a.json']);
});

test('what a killed process had begun is removed by the next writer of the same file, and nothing else', async () => {
  const inside = join(folder, 'killed');
  mkdirSync(join(inside, '.a.json.4194305-0123abcd.partial.spill'), { recursive: true });
  const others = [
    // Of a process that lives, of another file, and somebody's own.
    `.a.json.${process.ppid}-0123abcd.partial`,
    '.b.json.4194305-0123abcd.partial',
    '.a.json.old.partial',
  ];
  // Linux gives no process a number above 4194304.
  for (const name of ['.a.json.4194305-0123abcd.partial', ...others])
    await writeFile(join(inside, name), 'half');
  await writeJsonAtomic(join(inside, 'a.json'), { n: 1 });
  expect(new Set(await readdir(inside))).toEqual(new Set(['a.json', ...others]));
});

test('a writer that fails half-way leaves the old file and nothing beside it', async () => {
  const path = join(folder, 'kept.txt');
  await writeFile(path, 'old');
  const failing = atomically(path, async (beside) => {
    await writeFile(beside, 'half');
    throw new Error('the writer broke');
  });
  await expect(failing).rejects.toThrow('the writer broke');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect((await readdir(folder)).filter((name) => name.includes('kept'))).toEqual(['kept.txt']);
});

test('a file where a folder should be is bad_input and names the path', async () => {
  await writeFile(join(folder, 'plain'), '');
  await expect(writeFileAtomic(join(folder, 'plain', 'x'), 'a')).rejects.toMatchObject({ code: 'bad_input' });
});

/** A file system of 256 KiB, which takes root to mount. */
const small = mkdtempSync(join(tmpdir(), 'lazyscope-small-disk-'));
let mounted = false;
try {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small], { stdio: 'ignore' });
  mounted = true;
} catch {
  // Not root, or no tmpfs: the tests below say that they are skipped.
}

describe.skipIf(!mounted)('on a full disk (skipped where a small tmpfs cannot be mounted)', () => {
  afterAll(() => execFileSync('umount', [small]));
  const full = { code: 'no_space', message: expect.stringContaining(small) };
  mkdirSync(join(small, 'data'), { recursive: true });

  test('a plain file is refused with no_space and nothing stays behind', async () => {
    await expect(writeFileAtomic(join(small, 'data', 'big'), Buffer.alloc(1 << 20))).rejects.toMatchObject(
      full,
    );
    expect(await readdir(join(small, 'data'))).toEqual([]);
  });

  test('safetensors are refused with no_space and nothing stays behind', async () => {
    const tensors = { w: { shape: [1 << 18], data: new Float32Array(1 << 18) } };
    await expect(writeSafetensors(join(small, 'data', 'w.safetensors'), tensors)).rejects.toMatchObject(full);
    expect(await readdir(join(small, 'data'))).toEqual([]);
  });

  test('Parquet is refused with no_space and nothing stays behind', async () => {
    const x = Float64Array.from({ length: 200_000 }, Math.random);
    await expect(
      writeParquet(join(small, 'data', 'x.parquet'), { x: { type: 'DOUBLE', doc: 'noise' } }, { x }),
    ).rejects.toMatchObject(full);
    expect(await readdir(join(small, 'data'))).toEqual([]);
  });

  test('in a folder that was made read-only it says whose permission is missing', async () => {
    execFileSync('mount', ['-o', 'remount,ro', small]);
    await expect(writeFileAtomic(join(small, 'data', 'x'), 'a')).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringMatching(/^No permission to write '.*x': choose a data folder you own\.$/),
    });
  });
});
