/** What a running server writes for programs that read logs. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLazyscopeClient } from '../server/client.ts';

test('serve --log json writes each event as a document of its own, with its time and its details', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-log-'));
  // The record of mutations can't be written, which the server logs.
  mkdirSync(join(folder, 'audit.jsonl'));
  const script = join(import.meta.dirname, 'lazyscope.mjs');
  const child = spawn(
    process.execPath,
    [script, 'serve', '--no-explorer', '--port=0', '--log=json', `--data=${folder}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = new Promise((resolve) => child.once('close', resolve));
  try {
    await expect.poll(() => /at (http\S+)/.exec(said)?.[1], { timeout: 50_000 }).toBeDefined();
    const client = createLazyscopeClient({ url: /at (http\S+)/.exec(said)?.[1] ?? '' });
    await client.labels.set.mutate({ run: 'x', seed: 0, latent: 0, label: '' });
    await expect.poll(() => said, { timeout: 20_000 }).toContain('audit.jsonl');
    const line = said.split('\n').find((one) => one.includes('audit.jsonl')) ?? '';
    expect(JSON.parse(line)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      message: 'audit.jsonl could not be written.',
      details: expect.stringContaining('EISDIR'),
    });
  } finally {
    child.kill('SIGTERM');
    await closed;
    rmSync(folder, { recursive: true, force: true });
  }
});
