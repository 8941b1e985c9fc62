/** Where models lie, by the look of it: what the command line and the server ask before they open anything. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileStatus } from '../store/fileStatus.ts';

/** By its name: a GGUF file always ends so. */
export const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

/** Whether there is a model at a path: a folder with a config.json, or a GGUF file. */
export function isModel(path: string): boolean {
  if (isGguf(path)) return fileStatus(path)?.isFile() ?? false;
  // Nothing names no folder, rather than the one that the process happens to run in.
  return path !== '' && existsSync(join(path, 'config.json'));
}
