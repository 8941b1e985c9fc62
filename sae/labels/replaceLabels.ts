import { readLabels, writeLabels, type AutomaticLabel } from './labelsTable.ts';
import { removeStored } from '../store/remote/bringIn.ts';

/**
 * Writes labels into the file of a dictionary in place of those of the latents that were looked at, whether or not each got a new one; labels of
 * other latents stay. A file without labels is removed. Throws 'corrupt' when a file whose labels should stay can't be read.
 */
export async function replaceLabels(
  path: string,
  labels: readonly AutomaticLabel[],
  lookedAt: readonly number[] | 'all',
): Promise<void> {
  const gone = lookedAt === 'all' ? undefined : new Set(lookedAt);
  const kept = gone ? (await readLabels(path)).filter(({ latent }) => !gone.has(latent)) : [];
  const all = [...kept, ...labels];
  if (all.length === 0) await removeStored(path);
  else await writeLabels(path, all);
}
