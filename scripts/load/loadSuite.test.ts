/** A load run ends, and prints what it has. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startTestServer } from '../../server/testServer.ts';
import { Explorers } from './explorers.ts';

vi.setConfig({ testTimeout: 180_000 });

test('explorers that were paused twice all ask again, and all leave', async () => {
  const on = await startTestServer();
  try {
    const people = new Explorers(on.server.url, { explorers: 12, watchers: 2, pause: 0.01 });
    // They arrive, find the reading paused, and wait; then it is paused once more.
    await new Promise((resolve) => setTimeout(resolve, 100));
    people.pause();
    people.resume();
    await expect.poll(() => people.answers.length, { timeout: 30_000 }).toBeGreaterThan(36);
    people.pause();
    await people.leave();
    expect(people.errors).toEqual([]);
  } finally {
    await on.stop();
  }
});

test('Ctrl-C prints the figures so far', async () => {
  const script = join(import.meta.dirname, 'load.mjs');
  const child = spawn(
    process.execPath,
    [script, '--explorers=3', '--watchers=1', '--minutes=600', '--spell=1', '--json'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [printed, said] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.includes('load: pair 1,')) return;
    said += text;
    if (said.includes('load: pair 1,')) child.kill('SIGINT');
  });
  const [status] = (await once(child, 'close')) as [number | null];
  expect(status).toBe(1);
  expect(JSON.parse(printed)).toMatchObject({ cut: 'stopped by SIGINT', rss: { first: expect.any(Number) } });
});
