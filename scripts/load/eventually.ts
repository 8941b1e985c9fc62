import { setTimeout as sleep } from 'node:timers/promises';

/** The figure once it is 0, or what it is after 20 seconds. */
export async function eventually(figure: () => Promise<number>): Promise<number> {
  const until = performance.now() + 20_000;
  for (;;) {
    const now = await figure();
    if (now === 0 || performance.now() > until) return now;
    await sleep(100);
  }
}
