import { expect, test } from 'vitest';
import { JobEvents, mostWatchers } from './jobEvents.ts';

test('as many may watch as there is a limit for, and another one again when one has left', async () => {
  const events = new JobEvents();
  const leaving = new AbortController();
  const watch = (signal?: AbortSignal) =>
    events.watch(
      {},
      () => [],
      () => {
        throw new Error('there are no jobs');
      },
      signal,
    );
  const first = watch(leaving.signal).next();
  for (let number = 1; number < mostWatchers; number++) void watch().next();
  expect(events.watchers).toBe(mostWatchers);
  await expect(watch().next()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('close some'),
  });
  leaving.abort();
  expect(await first).toMatchObject({ done: true });
  void watch().next();
  expect(events.watchers).toBe(mostWatchers);
});
