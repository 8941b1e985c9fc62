/** Stretches of an open file, which stays open: an upload may be tried again, and the file's name may be another's meanwhile. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of a stretch of an open file, in hexadecimal. */
export async function hashOf(fd: number, from: number, length: number): Promise<string> {
  const hash = createHash('sha256');
  if (length > 0) await pipeline(streamOf(fd, from, length), hash);
  return hash.digest('hex');
}

/** Bytes of an open file. */
export function streamOf(fd: number, from: number, length: number): Readable {
  return createReadStream('', {
    fd,
    start: from,
    end: from + length - 1,
    autoClose: false,
    highWaterMark: 1 << 20,
  });
}
