/** What decides what is trained is decided when a run begins: `--resume` may repeat it and may not change it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../../server/testServer.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on?.stop());

const resume = (...flags: string[]) => {
  const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
  const args = ['train', '--resume', '--name=fixture-topk', ...flags, '--json', `--data=${on.store.root}`];
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { status, stderr };
};

test.each([
  [['--tokens=80000'], /tokens/],
  [['--hook=blocks.1.hook_resid_post'], /hook/],
  [['--tokens=80000', '--hook=blocks.1.hook_resid_post'], /tokens|hook/],
  [['--capture=other'], /capture/],
  [['--seeds=0,5'], /seed/],
  [['--width=128'], /width/],
])('train --resume with %j is refused by name and not ignored', (flags, message) => {
  const { status, stderr } = resume(...flags);
  expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
