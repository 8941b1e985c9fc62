/**
 * The progress of a measurement whose parts take very different times. Each part is given its cost beforehand in the time of one
 * unit, a token's way through the whole model, so that the total includes everything to come and the time left can be believed.
 */
import { LazyscopeError } from '../errors.ts';
import { silent, type Report } from '../progress.ts';

export class Work {
  readonly #stage: string;
  #total: number;
  readonly #report: Report;
  readonly #signal: AbortSignal | undefined;
  #done = 0;

  /** `total` is an upper bound of all that advance() will be given. */
  constructor(stage: string, total: number, report: Report = silent, signal?: AbortSignal) {
    this.#stage = stage;
    this.#total = Math.max(1, Math.ceil(total));
    this.#report = report;
    this.#signal = signal;
  }

  /** Counts work that was done and lets a signal through. Throws 'cancelled' when it is aborted. */
  async advance(amount: number): Promise<void> {
    this.#done += amount;
    this.#say(Math.min(Math.floor(this.#done), this.#total - 1));
    // Work blocks, and a signal is heard between two macrotasks only.
    await new Promise((next) => setImmediate(next));
    if (this.#signal?.aborted) throw new LazyscopeError('cancelled', `Stopped while doing: ${this.#stage}.`);
  }

  /** Takes work out of the total that turned out not to be needed, so that the share that is done stays true. */
  spare(amount: number): void {
    this.#total = Math.max(1, this.#total - Math.floor(amount));
  }

  /** Everything is done. */
  finish(): void {
    this.#say(this.#total);
  }

  #say(done: number): void {
    this.#report({ stage: this.#stage, done, total: this.#total, unit: 'token passes' });
  }
}
