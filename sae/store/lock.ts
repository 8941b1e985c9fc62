/**
 * One writer a folder. The lock is a file that names its holder's process, machine and start time, so that
 * a lock left by a process that died (or whose number was given to another one) is seen to be stale.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { explainWriteError } from './atomicWrite.ts';

const holderSchema = z.object({
  pid: z.int(),
  host: z.string(),
  /** When the process started, as the kernel counts it; null where that can't be read. */
  processStart: z.string().nullable(),
  what: z.string(),
  since: z.string(),
  /** Tells two locks of one process apart. */
  token: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

const file = '.lock';

/**
 * Runs `fn` while holding the folder. Throws `conflict` when a live process holds it. A process on another
 * machine (a shared disk) can't be checked and counts as live.
 */
export async function withLock<T>(folder: string, what: string, fn: () => Promise<T>): Promise<T> {
  const mine = await acquire(folder, what);
  try {
    return await fn();
  } finally {
    const held = await readHolder(join(folder, file));
    if (held?.token === mine.token) await rm(join(folder, file), { force: true });
  }
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
  };
  const draft = join(folder, `${file}.${token}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, JSON.stringify(mine), { flag: 'wx' });
  } catch (error) {
    await rm(draft, { force: true });
    throw explainWriteError(error, path);
  }
  try {
    for (;;) {
      try {
        // A hard link appears with its content or fails because the name is taken: nobody reads half a lock.
        await link(draft, path);
        return mine;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const holder = await readHolder(path);
      if (holder && isAlive(holder))
        throw new LazyscopeError(
          'conflict',
          `'${folder}' is in use by process ${holder.pid} on ${holder.host} (${holder.what}, since ${holder.since}): wait for it or stop it.`,
        );
      await removeStale(path, holder?.token, `${draft}.stale`);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Moves the stale lock away; if another process took the lock over in between, its lock is put back. */
async function removeStale(path: string, staleToken: string | undefined, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readHolder(aside);
  if (moved && moved.token !== staleToken) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
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
