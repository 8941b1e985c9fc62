/**
 * A job array as it lies in the data folder, `launches/ID/`: `launch.json` says what it was made of, `script.sh` what was handed in,
 * and each task leaves INDEX.began (which attempt it is, on which node, since when), INDEX.log (what it said), INDEX.out (the document that it printed)
 * and INDEX.exit (its exit code).
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { mostParts } from '../../sae/spec/part.ts';
import { writeJsonAtomic } from '../../sae/store/atomicWrite.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { jobStartInput } from '../contract/jobs.ts';
import type { JobStartInput } from '../contract/jobs.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

const launchSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  createdAt: z.string(),
  /** The number that Slurm gave the array. */
  array: z.number(),
  jobs: z.array(jobStartInput).min(1),
  /** Its tasks are so many parts of its one job, which a task of another launch puts together. */
  parts: z.object({ of: z.int().min(2).max(mostParts), whole: z.string() }).exactOptional(),
});
export interface Launch {
  version: 1;
  id: string;
  createdAt: string;
  array: number;
  jobs: JobStartInput[];
  parts?: { of: number; whole: string };
}

/** Paths of one launch. */
export function launchPaths(store: StoreLayout, id: string) {
  const folder = store.launch(id);
  return {
    folder,
    document: join(folder, 'launch.json'),
    script: join(folder, 'script.sh'),
    log: (index: number) => join(folder, `${index}.log`),
    output: (index: number) => join(folder, `${index}.out`),
    began: (index: number) => join(folder, `${index}.began`),
    exit: (index: number) => join(folder, `${index}.exit`),
    /** There from when somebody wants the task to stop. */
    cancelled: (index: number) => join(folder, `${index}.cancelled`),
  };
}

/** When and where the last attempt at a task began. */
export interface Began {
  /** From 1. */
  attempt: number;
  /** ISO 8601, in UTC. */
  at: string;
  node: string;
}

/** Undefined for a task that has not begun, or was handed in by a version that did not write it down. */
export async function readBegan(store: StoreLayout, id: string, index: number): Promise<Began | undefined> {
  const path = launchPaths(store, id).began(index);
  if (!existsSync(path)) return undefined;
  const [, attempt, at, node] = /^(\d+) (\S+) (\S+)\n$/.exec(await readFile(path, 'utf8')) ?? [];
  return node === undefined ? undefined : { attempt: Number(attempt), at, node };
}

export async function writeScript(store: StoreLayout, id: string, script: string): Promise<string> {
  const paths = launchPaths(store, id);
  makeFolder(paths.folder);
  await writeFile(paths.script, script, { mode: 0o755 });
  return paths.script;
}

export async function writeLaunch(store: StoreLayout, launch: Launch): Promise<void> {
  await writeJsonAtomic(launchPaths(store, launch.id).document, launch);
}

/** Launches that are not among `known`, oldest first. What isn't one, or is of another version, is left out. */
export async function readLaunches(store: StoreLayout, known: ReadonlySet<string>): Promise<Launch[]> {
  if (!existsSync(store.launches())) return [];
  const names = (await readdir(store.launches())).filter((name) => !known.has(name)).sort();
  const read = await Promise.all(
    names.map(async (name) => {
      try {
        const parsed = launchSchema.safeParse(
          JSON.parse(await readFile(launchPaths(store, name).document, 'utf8')),
        );
        return parsed.success && parsed.data.id === name ? [parsed.data] : [];
      } catch {
        // It is being handed in, or isn't a launch.
        return [];
      }
    }),
  );
  return read.flat();
}
