/**
 * One writer a folder. The lock is a file that names its holder's process, machine and start time, so that
 * a lock left by a process that died (or whose number was given to another one) is seen to be stale.
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { explainWriteError } from './explainWriteError.ts';
import { lockOut } from './remote/bringIn.ts';
import { makeFolder } from './makeFolder.ts';

const holderSchema = z.object({
  pid: z.int(),
  host: z.string(),
  /** When the process started, as the kernel counts it; null where that can't be read. */
  processStart: z.string().nullable(),
  what: z.string(),
  since: z.string(),
  /** Tells two locks of one process apart. */
  token: z.string(),
  /** The job for which the process works, and how often that was begun before, where a queue gives one job to one process at a time. */
  lease: z.object({ job: z.string(), attempt: z.int() }).exactOptional(),
});
type Holder = z.infer<typeof holderSchema>;

let lease: Holder['lease'];
/** Says once, before any lock is taken, for which job of a queue this process works: `JOB:ATTEMPT`. */
export function workUnderLease(text: string): void {
  const [, job, attempt] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (job === undefined)
    throw new LazyscopeError('bad_input', `LAZYSCOPE_LEASE is '${text}': leave it to 'lazyscope worker'.`);
  lease = { job, attempt: Number(attempt) };
}

/** For which job this process works, where it does for any. */
export const leaseOfThisProcess = (): Holder['lease'] => lease;

/** Whether a holder worked on an earlier attempt at the job that this process works on: the queue says that it has lost it. */
export const hasLostJob = (other: Holder['lease']): boolean =>
  lease !== undefined && other?.job === lease.job && other.attempt < lease.attempt;

const file = '.lock';
/** Milliseconds; removing a lock takes one or two. */
const abandonedAfter = 10_000;

/**
 * Runs `fn` while holding the folder, also in the bucket where the store lies in one. Throws `conflict` when a live process holds it. A process on another
 * machine (a shared disk) can't be checked and counts as live, unless it worked on an earlier attempt at the same job: the queue gives
 * a job to another machine only when the first one has lost it.
 */
export async function withLock<T>(folder: string, what: string, fn: () => Promise<T>): Promise<T> {
  const existed = existsSync(folder);
  const mine = await acquire(folder, what);
  let done = false;
  try {
    const giveBack = await lockOut(folder, what);
    let result: T;
    try {
      result = await fn();
    } catch (error) {
      // The first error is the one to tell.
      await giveBack().catch(() => {});
      throw error;
    }
    await giveBack();
    done = true;
    return result;
  } finally {
    await release(folder, mine);
    // What came to nothing leaves no folder either; `rmdir` takes empty ones only.
    if (!done && !existed) await rmdir(folder).catch(() => {});
  }
}

/** Another process that gives the folder up may remove it, empty as it is, before the draft is in it. */
async function draftIn(folder: string, draft: string, content: string): Promise<void> {
  for (let left = 5; ; left--) {
    makeFolder(folder);
    try {
      return await writeFile(draft, content, { flag: 'wx' });
    } catch (error) {
      const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isGone || left === 0) throw error;
    }
  }
}

async function release(folder: string, mine: Holder): Promise<void> {
  const held = await readLock(join(folder, file));
  if (held?.token === mine.token) await rm(join(folder, file), { force: true });
}

async function acquire(folder: string, what: string): Promise<Holder> {
  const path = join(folder, file);
  const token = randomBytes(8).toString('hex');
  const mine: Holder = {
    pid: process.pid,
    host: hostname(),
    processStart: processStart(process.pid),
    what,
    since: new Date().toISOString(),
    token,
    ...(lease && { lease }),
  };
  const draft = join(folder, `${file}.${token}`);
  try {
    await draftIn(folder, draft, JSON.stringify(mine));
  } catch (error) {
    // Where a file is in the folder's way, or the disk is full, the clean-up has nothing to find.
    await rm(draft, { force: true }).catch(() => {});
    throw explainWriteError(error, folder);
  }
  try {
    for (;;) {
      try {
        // A hard link appears with its content or fails because the name is taken: nobody reads half a lock.
        await link(draft, path);
        return mine;
      } catch (error) {
        if (!isTaken(error)) throw error;
      }
      const found = await readLock(path);
      const holder = found?.holder;
      if (holder && isAlive(holder))
        throw new LazyscopeError(
          'conflict',
          `'${folder}' is in use by process ${holder.pid} on ${holder.host} (${holder.what}, since ${holder.since}): wait for it or stop it.`,
        );
      if (found) await removeStale(path, found.token);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Removes a dead holder's lock. Between reading it and removing it another process may have done so and taken the
 * folder, and its lock must stay: so each dead lock has one heir, who alone may remove it, and looks again first.
 */
async function removeStale(path: string, token: string): Promise<void> {
  const heir = `${path}.${token}.heir`;
  try {
    await writeFile(heir, '', { flag: 'wx' });
  } catch (error) {
    if (!isTaken(error)) throw error;
    // The other heir is about to be done, or died in the middle of it.
    await setTimeout(5);
    const age = await stat(heir).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > abandonedAfter) await rm(heir, { force: true });
    return;
  }
  try {
    if ((await readLock(path))?.token === token) await rm(path, { force: true });
  } finally {
    await rm(heir, { force: true });
  }
}

const isTaken = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EEXIST';

/** Whoever holds the folder; undefined when nobody does. A lock that can't be read has no holder and one name for all. */
async function readLock(path: string): Promise<{ token: string; holder?: Holder } | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const holder = holderSchema.parse(JSON.parse(text));
    return { token: holder.token, holder };
  } catch {
    return { token: 'damaged' };
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return !hasLostJob(holder.lease);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  const start = processStart(holder.pid);
  return start === null || holder.processStart === null || start === holder.processStart;
}

/** Field 22 of /proc/<pid>/stat (clock ticks since boot); null on systems without /proc. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
