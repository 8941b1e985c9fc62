/**
 * labels-endpoint.jsonl: what an endpoint has answered, a line a label, written as it comes, because an answer has a price. When a
 * labelling ends or is stopped, its labels go into labels-endpoint.parquet and the journal is removed; after a crash that is done by the next one.
 */
import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { explainWriteError } from '../../store/explainWriteError.ts';
import { bringIn, removeStored } from '../../store/remote/bringIn.ts';
import type { AutomaticLabel } from '../labelsTable.ts';
import { replaceLabels } from '../replaceLabels.ts';

const count = z.int().nonnegative();
const counts = z.object({
  positives: count,
  truePositives: count,
  negatives: count,
  trueNegatives: count,
  unanswered: count,
});
const lineSchema = z.object({
  latent: count,
  label: z.string(),
  model: z.string(),
  createdAt: z.string(),
  detection: counts.nullable(),
  fuzzing: counts.nullable(),
});

/** Throws 'no_space' on a full disk. */
export async function appendToJournal(path: string, label: AutomaticLabel): Promise<void> {
  await appendFile(path, `${JSON.stringify(label)}\n`).catch((error: unknown) => {
    throw explainWriteError(error, path);
  });
}

/** Moves the labels of a journal into the table, the last of each latent. A line that a crash cut off is left out. */
export async function mergeJournal(journal: string, path: string): Promise<void> {
  if (!existsSync(journal)) return;
  await bringIn(journal);
  const labels = new Map<number, AutomaticLabel>();
  for (const line of (await readFile(journal, 'utf8')).split('\n')) {
    const label = read(line);
    if (label) labels.set(label.latent, label);
  }
  await replaceLabels(path, [...labels.values()], [...labels.keys()]);
  await removeStored(journal);
}

function read(line: string): AutomaticLabel | undefined {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
