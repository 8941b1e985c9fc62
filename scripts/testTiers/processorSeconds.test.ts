import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { processorSeconds } from './processorSeconds.ts';

function work(seconds: number): void {
  const { user, system } = process.cpuUsage();
  for (;;) {
    const used = process.cpuUsage({ user, system });
    if (used.user + used.system > seconds * 1e6) return;
  }
}

test('counts work, and not waiting', async () => {
  const before = processorSeconds();
  work(0.2);
  const between = processorSeconds();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(between - before).toBeGreaterThanOrEqual(0.15);
  expect(processorSeconds() - between).toBeLessThan(0.15);
});

test.runIf(process.platform === 'linux')('counts the work of a child that has ended', () => {
  const before = processorSeconds();
  const code = 'const until = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < until);';
  expect(spawnSync(process.execPath, ['-e', code]).status).toBe(0);
  expect(processorSeconds() - before).toBeGreaterThan(0.28);
});
