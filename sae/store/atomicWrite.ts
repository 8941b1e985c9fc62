/**
 * Files appear whole or not at all: written beside their name, synced, renamed. When anything goes wrong the
 * half-written file is removed, and a full disk is reported as such.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainWriteError } from './explainWriteError.ts';
import { makeFolder } from './makeFolder.ts';
import { putOut } from './remote/bringIn.ts';

/** Where a file is written before it takes its name: hidden, in the same folder, so that the rename is atomic. */
export function pathBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.partial`);
}

/**
 * `write` fills the file at the temporary path it is given (by any means: a handle, DuckDB); what it returns is
 * passed on once the file has its name. The folder is made when it's missing.
 */
export async function atomically<T>(path: string, write: (beside: string) => Promise<T>): Promise<T> {
  const beside = pathBeside(path);
  try {
    makeFolder(dirname(path));
    await removeLeftovers(path);
    const result = await write(beside);
    const handle = await open(beside, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
    await syncFolder(dirname(path));
    await putOut(path);
    return result;
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw explainWriteError(error, path);
  }
}

/** What killed processes of this machine had begun to write of this file, with what DuckDB had put beside it. */
async function removeLeftovers(path: string): Promise<void> {
  const begins = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(begins)) continue;
    const [, pid] = /^(\d+)-[0-9a-f]{8}\.partial(?:\.spill)?$/.exec(name.slice(begins.length)) ?? [];
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(dirname(path), name), { recursive: true, force: true });
  }
}

/** True as well for a process of another user. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  await atomically(path, async (beside) => {
    const handle = await open(beside, 'wx');
    try {
      await writeAll(handle, typeof content === 'string' ? Buffer.from(content) : content);
    } finally {
      await handle.close();
    }
  });
}

export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Appends all bytes at the handle's position. A single write may stop short at 2 GiB or on a nearly full disk. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, 1 << 30));
    at += bytesWritten;
  }
}

/** Makes a rename durable. Windows can't open a folder; there the rename is on its own. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
