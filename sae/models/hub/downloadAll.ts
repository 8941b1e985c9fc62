/** Several files from the hub into a folder, one after the other, as one progress. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../../errors.ts';
import { silent, type Report } from '../../progress.ts';
import { type Download, downloadFile } from './downloadFile.ts';
import type { HubFile } from './hub.ts';

/** A file, and where it goes in the folder. */
export interface PlacedFile {
  file: HubFile;
  place: string;
}

export interface Downloads extends Omit<Download, 'file' | 'target' | 'onBytes'> {
  /** It exists already. */
  folder: string;
  files: readonly PlacedFile[];
  /** Called with each file once it is there and checked. */
  onFile?: (placed: PlacedFile) => void;
  report?: Report;
}

/** Returns the bytes of all files. Throws `no_space` before it begins, and as `downloadFile`. */
export async function downloadAll({
  folder,
  files,
  onFile,
  report = silent,
  ...download
}: Downloads): Promise<number> {
  const total = files.reduce((sum, { file }) => sum + file.bytes, 0);
  await checkSpace(folder, total);
  let before = 0;
  for (const placed of files) {
    const { file, place } = placed;
    const onBytes = (bytes: number) =>
      report({ stage: `get ${file.path}`, done: before + bytes, total, unit: 'bytes' });
    await downloadFile({ ...download, file, target: join(folder, place), onBytes });
    before += file.bytes;
    onFile?.(placed);
  }
  return total;
}

async function checkSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes)
    throw new LazyscopeError(
      'no_space',
      `What is asked for takes ${(bytes / 1e9).toFixed(1)} GB and '${folder}' has ${((bavail * bsize) / 1e9).toFixed(1)} GB left: make room, or choose another folder with --data.`,
    );
}
