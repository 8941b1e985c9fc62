/**
 * What stands for a file that has not been fetched: sparse, of the file's size, and beginning with bytes that no file of a store begins with, so that
 * what would read it without `bringIn` finds it damaged rather than empty.
 */
import { closeSync, openSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pathBeside } from '../atomicWrite.ts';
import { fileStatus } from '../fileStatus.ts';

const mark = Buffer.from('lazyscope: this file has not been fetched yet\n');

export function writePlaceholder(path: string, bytes: number): void {
  writeFileSync(path, mark.subarray(0, bytes));
  truncateSync(path, bytes);
}

/** In the place of a file, which readers may have open: it gets another inode, by which those that keep something of it in memory see the change. */
export async function replaceByPlaceholder(path: string, bytes: number): Promise<void> {
  const beside = pathBeside(path);
  writePlaceholder(beside, bytes);
  await rename(beside, path);
}

/** Whether a file has this size and is no placeholder. */
export function isWhole(path: string, bytes: number): boolean {
  const found = fileStatus(path);
  return found?.isFile() === true && found.size === bytes && !isPlaceholder(path, bytes);
}

/** Whether a file of this size is a placeholder; an empty one needs no content and never is. */
export function isPlaceholder(path: string, bytes: number): boolean {
  const begin = Buffer.alloc(Math.min(bytes, mark.length));
  const fd = openSync(path, 'r');
  try {
    readSync(fd, begin, 0, begin.length, 0);
  } finally {
    closeSync(fd);
  }
  return bytes > 0 && begin.equals(mark.subarray(0, begin.length));
}

/** Whether a file is there that is no placeholder and was changed at another time than the given one. */
export function wasChanged(path: string, since: number | undefined): boolean {
  const found = fileStatus(path);
  return found?.isFile() === true && !isPlaceholder(path, found.size) && found.mtimeMs !== since;
}
