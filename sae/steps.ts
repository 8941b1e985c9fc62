/**
 * Long computations that can be run in one go or with pauses. They are generators that yield wherever they may be
 * interrupted, at most a fraction of a second of work apart.
 */
import { pause } from './pause.ts';

export type Steps<Result> = Generator<void, Result, void>;

/** Without a pause. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

const betweenPauses = 100; // ms

/** With pauses, as `pause` makes them. Throws 'cancelled' when the signal was aborted. */
export async function finishWithPauses<Result>(
  steps: Steps<Result>,
  signal: AbortSignal | undefined,
  doing: string,
): Promise<Result> {
  for (let paused = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - paused < betweenPauses) continue;
    await pause(signal, doing);
    paused = performance.now();
  }
}
