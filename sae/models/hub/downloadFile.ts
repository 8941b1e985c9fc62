/**
 * One file from the hub to the disk, going on where an earlier try ended. The part that is there is named after the content's
 * checksum, so it is never continued with other content; what is complete is checked before it gets its name.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { ask, fileUrl, refusal } from './hub.ts';
import type { Hub, HubFile, RepositoryKind } from './hub.ts';
import { makeFolder } from '../../store/makeFolder.ts';

export interface Download {
  hub: Hub;
  repository: string;
  kind?: RepositoryKind | undefined;
  commit: string;
  file: HubFile;
  /** Where it goes. */
  target: string;
  signal?: AbortSignal | undefined;
  /** Called with the bytes that are there. */
  onBytes?: (bytes: number) => void;
  /** Milliseconds before a cut connection is tried again, doubled each time that brings nothing. */
  patience?: number;
}

/** Tries in a row that bring nothing before it gives up. */
const mostTries = 5;

/** Does nothing when the file is there already. Throws as `ask` and `refusal` do, and `corrupt` for another checksum than the hub's. */
export async function downloadFile(download: Download): Promise<void> {
  const { file, target, onBytes } = download;
  if ((await sizeOf(target)) === file.bytes && (await hasChecksum(target, file))) {
    onBytes?.(file.bytes);
    return;
  }
  const part = `${target}.${file.checksum.value.slice(0, 16)}.part`;
  makeFolder(dirname(target));
  let failures = 0;
  for (;;) {
    const before = await sizeOf(part);
    if (before >= file.bytes) break;
    try {
      await append(download, part, before);
    } catch (error) {
      if (download.signal?.aborted || isFinal(error)) throw error;
      failures = (await sizeOf(part)) > before ? 0 : failures + 1;
      if (failures >= mostTries) throw error;
      await pause((download.patience ?? 1000) * 2 ** failures, download.signal);
    }
  }
  // An empty file has no part yet.
  if (file.bytes === 0) await (await open(part, 'w')).close();
  if ((await sizeOf(part)) !== file.bytes || !(await hasChecksum(part, file))) {
    await rm(part, { force: true });
    throw new LazyscopeError(
      'corrupt',
      `'${file.path}' of '${download.repository}' arrived with another checksum than the hub gives: it was removed, so try again.`,
    );
  }
  await rename(part, target);
}

/** Bytes from `start` on. Returns normally when the connection ends, whether or not all came. */
async function append(download: Download, part: string, start: number): Promise<void> {
  const { hub, repository, file, signal, onBytes } = download;
  const url = fileUrl(hub, download, file.path);
  const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
  const response = await ask(hub, url, { headers, signal });
  if (!response.ok) throw await refusal(hub, response, `file '${file.path}' of '${repository}'`);
  // A server that doesn't do ranges begins at the beginning.
  const from = response.status === 206 ? start : 0;
  const handle = await open(part, from > 0 ? 'r+' : 'w');
  let at = from;
  try {
    for await (const chunk of response.body ?? []) {
      if (at + chunk.length > file.bytes)
        throw new LazyscopeError(
          'corrupt',
          `'${file.path}' of '${repository}' is longer than the hub says (${file.bytes} bytes): try again.`,
        );
      for (let done = 0; done < chunk.length;)
        done += (await handle.write(chunk, done, chunk.length - done, at + done)).bytesWritten;
      at += chunk.length;
      onBytes?.(at);
    }
    if (at < file.bytes) throw new Error('The connection ended early.');
  } finally {
    await handle.close();
  }
}

/** What another try would not change. */
function isFinal(error: unknown): boolean {
  if (error instanceof LazyscopeError) return error.code !== 'unavailable';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS';
}

async function hasChecksum(path: string, { bytes, checksum }: HubFile): Promise<boolean> {
  let hash: Hash;
  if (checksum.kind === 'sha256') hash = createHash('sha256');
  // Git's name for a file's content.
  else hash = createHash('sha1').update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex') === checksum.value;
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : 0;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }
    function aborted() {
      clearTimeout(timer);
      reject(signal?.reason ?? new Error('Stopped.'));
    }
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
