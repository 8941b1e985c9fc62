import { LazyscopeError } from './errors.ts';

/**
 * Lets signals, timers and other requests have their turn between two pieces of work that block. Throws 'cancelled' when
 * the signal was aborted; `doing` completes "Stopped while …".
 */
export async function pause(signal: AbortSignal | undefined, doing: string): Promise<void> {
  await new Promise((next) => setImmediate(next));
  throwIfStopped(signal, doing);
}

/** Throws 'cancelled' when the signal was aborted. */
export function throwIfStopped(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw new LazyscopeError('cancelled', `Stopped while ${doing}.`);
}
