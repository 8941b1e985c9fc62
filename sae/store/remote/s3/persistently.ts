/** Requests that are tried again: after faults that pass, longer after each, and as late as the server asks for. */
import { setTimeout as wait } from 'node:timers/promises';
import { LazyscopeError } from '../../../errors.ts';
import { Passing } from './bucketErrors.ts';

export interface Patience {
  /** Milliseconds without a byte after which a request is given up; a minute when absent. */
  patience?: number;
  /** Milliseconds before the second attempt, twice as long before each later one; a quarter of a second when absent. */
  firstWait?: number;
  /** Stops what is fetched. What is sent goes on: it is work that was done. */
  signal?: AbortSignal | undefined;
}

const attempts = 7;
const longestWait = 20_000;
/** Milliseconds that a server may ask to wait before the next attempt. */
const longestAskedWait = 120_000;

/** Throws what the last attempt came to; `cancelled` where the signal has fired. */
export async function persistently<Result>(
  { firstWait = 250 }: Patience,
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const stopped = () => new LazyscopeError('cancelled', 'Fetching was stopped.');
    if (signal?.aborted) throw stopped();
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw stopped();
      if (!(error instanceof Passing)) throw error;
      if (attempt === attempts) throw error.explained;
      const usual = Math.min(longestWait, firstWait * 2 ** (attempt - 1));
      // Clients that were turned away together should not come back together.
      const jittered = usual * (0.75 + Math.random() / 2);
      const asked = Math.min(error.after ?? 0, longestAskedWait);
      await wait(Math.max(asked, jittered), undefined, signal ? { signal } : {}).catch(() => {});
    }
  }
}
