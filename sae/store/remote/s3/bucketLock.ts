/**
 * One writer a folder, among all machines: an object `.lock` in it that names its holder, made under the condition that there is none. Its holder
 * writes it again every minute; one that nobody wrote for five is of a process that is gone, as is one of an earlier attempt at the same job of a queue, and
 * taken over under the condition that it is still the same.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { LazyscopeError } from '../../../errors.ts';
import { hasLostJob, leaseOfThisProcess } from '../../lock.ts';
import type { Bucket, Condition } from './bucket.ts';
import { ObjectChanged } from './bucketErrors.ts';

const holderSchema = z.object({
  pid: z.int(),
  host: z.string(),
  what: z.string(),
  since: z.string(),
  token: z.string(),
  lease: z.object({ job: z.string(), attempt: z.int() }).exactOptional(),
});
type Holder = z.infer<typeof holderSchema>;

export interface LockTimes {
  /** Milliseconds. */
  renewEvery: number;
  staleAfter: number;
}
const usualTimes: LockTimes = { renewEvery: 60_000, staleAfter: 300_000 };

export class BucketLock {
  readonly #bucket: Bucket;
  readonly #key: string;
  readonly #holder: Holder;
  #etag: string;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  /** Why this process doesn't have it any more. */
  #lost: LazyscopeError | undefined;

  private constructor(bucket: Bucket, key: string, { holder, etag }: { holder: Holder; etag: string }) {
    this.#bucket = bucket;
    this.#key = key;
    this.#holder = holder;
    this.#etag = etag;
  }

  /** `folder` is its path in the store. Throws 'conflict' while somebody has it. */
  static async take(
    bucket: Bucket,
    folder: string,
    what: string,
    times: LockTimes = usualTimes,
  ): Promise<BucketLock> {
    const key = `${folder}/.lock`;
    const lease = leaseOfThisProcess();
    const holder: Holder = {
      pid: process.pid,
      host: hostname(),
      what,
      since: new Date().toISOString(),
      token: randomBytes(8).toString('hex'),
      ...(lease && { lease }),
    };
    let condition: Condition = 'absent';
    for (;;) {
      try {
        const etag = await bucket.put(key, JSON.stringify(holder), condition);
        const lock = new BucketLock(bucket, key, { holder, etag });
        lock.#keep(times);
        return lock;
      } catch (error) {
        if (!(error instanceof ObjectChanged)) throw error;
      }
      const found = await bucket.text(key);
      condition = 'absent';
      if (!found) continue;
      const other = read(found.text);
      condition = { etag: found.etag };
      // The answer to a request that was sent again may be the first one's doing.
      if (other?.token === holder.token || isGone(other) || hasLostJob(other?.lease)) continue;
      if (bucket.now - found.modified > times.staleAfter) continue;
      throw new LazyscopeError(
        'conflict',
        `'${bucket.shown(folder)}' is in use by process ${other?.pid ?? '?'} on ${other?.host ?? '?'} (${other?.what ?? 'unknown'}, since ${other?.since ?? '?'}): wait for it or stop it; what a lost process left is free after ${Math.ceil(times.staleAfter / 60_000)} minutes.`,
      );
    }
  }

  /** Throws 'conflict' where another process has taken it over. */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    if (this.#lost) return;
    const found = await this.#bucket.head(this.#key);
    if (found?.etag === this.#etag) await this.#bucket.remove(this.#key);
  }

  #keep({ renewEvery }: LockTimes): void {
    this.#timer = setInterval(() => {
      this.#renewing = this.#renewing.then(() => this.#renew());
    }, renewEvery).unref();
  }

  async #renew(): Promise<void> {
    try {
      // Content that is another each time makes the tag another one, by which a takeover is noticed.
      const content = JSON.stringify({ ...this.#holder, renewed: new Date().toISOString() });
      this.#etag = await this.#bucket.put(this.#key, content, { etag: this.#etag });
    } catch (error) {
      if (error instanceof ObjectChanged) {
        const found = await this.#bucket.text(this.#key).catch(() => undefined);
        if (found && read(found.text)?.token === this.#holder.token) {
          this.#etag = found.etag;
          return;
        }
        clearInterval(this.#timer);
        this.#lost = new LazyscopeError(
          'conflict',
          `'${this.#bucket.shown(this.#key)}' was taken over by another process, to which this one was gone for too long: run it again.`,
        );
      }
      // A server that can't be reached is noticed by what is sent next.
    }
  }
}

/** A process of this machine that is no more. */
function isGone(holder: Holder | undefined): boolean {
  if (!holder) return true;
  if (holder.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EPERM');
  }
}

function read(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
