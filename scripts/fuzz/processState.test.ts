import { spawn } from 'node:child_process';
import { afterEach, expect, test, vi } from 'vitest';
import { processState } from './processState.ts';

const children: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
function running(code: string): number {
  const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
  children.push(child);
  return child.pid ?? 0;
}

test.skipIf(process.platform !== 'linux')(
  'a process that computes is told from one that waits for ever',
  async () => {
    const [busy, waiting] = [running('for (;;);'), running('setInterval(() => {}, 1e6)')];
    await vi.waitFor(() => expect(processState(busy)?.seconds).toBeGreaterThan(0.5), { timeout: 50_000 });
    expect(processState(busy)).toMatchObject({ wantsToRun: true });
    await vi.waitFor(() => expect(processState(waiting)).toMatchObject({ wantsToRun: false }), {
      timeout: 50_000,
    });
  },
);

test('of a process that is gone nothing is known', () => {
  expect(processState(2 ** 22 + 7)).toBeUndefined();
});
