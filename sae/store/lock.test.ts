import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock, workUnderLease } from './lock.ts';

const folderOf = () => mkdtemp(join(tmpdir(), 'lazyscope-lock-'));
const holder = (fields: object) =>
  JSON.stringify({
    pid: process.pid,
    host: hostname(),
    processStart: null,
    what: 'train',
    since: '2026-01-01',
    token: 'theirs',
    ...fields,
  });

test('a second writer is told who holds the folder, and can have it afterwards', async () => {
  const folder = await folderOf();
  await withLock(folder, 'train run-1', async () => {
    await expect(withLock(folder, 'train again', async () => {})).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`process ${process.pid}`),
    });
  });
  expect(await withLock(folder, 'train again', async () => 'mine')).toBe('mine');
  expect(await readdir(folder)).toEqual([]);
});

test('the lock is freed when the work throws', async () => {
  const folder = await folderOf();
  await expect(withLock(folder, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await readdir(folder)).toEqual([]);
});

test('a lock left by a process that has died is taken over', async () => {
  const folder = await folderOf();
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((done) => child.on('exit', done));
  await writeFile(join(folder, '.lock'), holder({ pid: child.pid }));
  expect(await withLock(folder, 'resume', async () => 'mine')).toBe('mine');
});

test.skipIf(process.platform !== 'linux')(
  'a lock whose process number now belongs to another process is taken over (Linux)',
  async () => {
    const folder = await folderOf();
    await writeFile(join(folder, '.lock'), holder({ processStart: '1' }));
    expect(await withLock(folder, 'resume', async () => 'mine')).toBe('mine');
  },
);

test('a lock held on another machine is believed', async () => {
  const folder = await folderOf();
  await writeFile(join(folder, '.lock'), holder({ host: `not-${hostname()}`, pid: 1 }));
  await expect(withLock(folder, 'a', async () => {})).rejects.toMatchObject({ code: 'conflict' });
});

test('a damaged lock is stale', async () => {
  const folder = await folderOf();
  await writeFile(join(folder, '.lock'), '{"pid":');
  expect(await withLock(folder, 'a', async () => 1)).toBe(1);
});

test('of many that ask at once, exactly one gets it', async () => {
  const folder = await folderOf();
  await writeFile(join(folder, '.lock'), holder({ processStart: '1' }));
  let inside = 0;
  const tries = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      withLock(folder, `try ${i}`, async () => {
        inside++;
        const held = JSON.parse(await readFile(join(folder, '.lock'), 'utf8'));
        expect(held.what).toBe(`try ${i}`);
        await new Promise((done) => setTimeout(done, 300));
      }),
    ),
  );
  expect(inside).toBe(1);
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('another machine’s lock counts as live, unless it is of an earlier attempt at the job that this process works on', async () => {
  const elsewhere = (lease?: object) => holder({ host: 'elsewhere', ...(lease && { lease }) });
  const folder = await folderOf();
  const lock = join(folder, '.lock');
  const take = () => withLock(folder, 'train', async () => 'mine');
  await writeFile(lock, elsewhere({ job: 'j', attempt: 1 }));
  await expect(take()).rejects.toMatchObject({ code: 'conflict' });
  workUnderLease('j:2');
  expect(await take()).toBe('mine');
  for (const other of [undefined, { job: 'j', attempt: 2 }, { job: 'other', attempt: 1 }]) {
    await writeFile(lock, elsewhere(other));
    await expect(take()).rejects.toMatchObject({ code: 'conflict' });
  }
});

test('a lease that is none is refused', () => {
  expect(() => workUnderLease('j')).toThrow(/LAZYSCOPE_LEASE/);
});
