import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { namePattern } from '../../spec/names.ts';

/** Names of the data sets in the folder that `datasets get` fetches into, as `--text` takes them: `dataset:NAME`, in order. */
export async function fetchedDatasets(folder: string | undefined): Promise<string[]> {
  if (folder === undefined || !existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => namePattern.test(name));
  return names.sort().map((name) => `dataset:${name}`);
}
