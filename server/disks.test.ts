/** A server on a disk that is full, or that may not be written: what it says, and that it goes on. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeFixtureStore } from './fixtures/writeFixtureStore.ts';
import { createLazyscopeClient } from './client.ts';
import { serve } from './serve.ts';

const script = join(import.meta.dirname, '..', 'scripts', 'lazyscope.mjs');
/** A file system of 8 MiB, which takes root to mount. */
const small = mkdtempSync(join(tmpdir(), 'lazyscope-disk-'));
let mounted = false;
try {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small], { stdio: 'ignore' });
  mounted = true;
} catch {
  // Not root, or no tmpfs: the tests below say that they are skipped.
}
afterAll(() => {
  if (mounted) execFileSync('umount', [small]);
  rmSync(small, { recursive: true, force: true });
});

describe.skipIf(!mounted)('where a small tmpfs can be mounted', () => {
  const dataFolder = join(small, 'data');
  const ballast = join(small, 'ballast');

  test('a full disk under a running server is said to be full, by path, and not an opaque fault', async () => {
    await writeFixtureStore(dataFolder);
    const log: string[] = [];
    const server = await serve({
      dataFolder, bundledModels: [], version: '0', program: [process.execPath, script], port: 0, log: (line) => log.push(line),
    }); // prettier-ignore
    const client = createLazyscopeClient({ url: server.url });
    const label = (latent: number, text: string) =>
      client.labels.set.mutate({ run: 'fixture-topk', seed: 0, latent, label: text });
    await label(1, 'before');
    for (let size = 1 << 22; size >= 1 << 8; size >>= 1)
      try {
        for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Full, to pieces of this size.
      }
    // A page of the database may still have room for some.
    const refused = await firstRefusal(async (attempt) => label(2, `x${attempt}`.padEnd(200, 'x')));
    expect(refused).toMatchObject({
      message: expect.stringMatching(/disk.*full|no space/i),
      data: { lazyscopeCode: 'no_space' },
    });
    expect(String(refused)).toContain(dataFolder);
    expect(String(refused)).not.toContain('inside the server');
    // It goes on: what is there is read, and with room again it writes.
    expect((await client.runs.list.query()).length).toBeGreaterThan(0);
    rmSync(ballast);
    await label(3, 'after');
    const labels = await client.labels.list.query({ run: 'fixture-topk', seed: 0 });
    expect(labels.find(({ latent }) => latent === 1)?.label).toBe('before');
    expect(labels.find(({ latent }) => latent === 3)?.label).toBe('after');
    await server.close();
  });

  test('a read-only folder is said to be read-only in one line, and nobody is told to move the database away', () => {
    mkdirSync(dataFolder, { recursive: true });
    execFileSync('mount', ['-o', 'remount,ro', small]);
    try {
      for (const args of [
        ['serve', '--no-explorer', '--port=0'],
        ['index', 'fixture-topk'],
        ['train', '--architecture=topk', '--capture=fixture', '--tokens=64', '--batch-size=64', '--k=4'],
      ]) {
        const { status, stderr } = spawnSync(process.execPath, [script, ...args, `--data=${dataFolder}`], {
          encoding: 'utf8',
          timeout: 100_000,
        });
        expect([args[0], status, stderr]).toEqual([
          args[0],
          2,
          expect.stringMatching(/No permission to write/),
        ]);
        expect(stderr).not.toMatch(/\n\s+at |away/);
      }
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', small]);
    }
  });
});

/** What the first attempt that fails is answered; undefined where 200 succeed. */
async function firstRefusal(attempt: (number: number) => Promise<unknown>): Promise<unknown> {
  for (let number = 0; number < 200; number++)
    try {
      await attempt(number);
    } catch (error) {
      return error;
    }
  return undefined;
}
