/** fetched.json: which files of a cache are there, in which version, and when they were last used. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomic } from '../atomicWrite.ts';

const fetchedSchema = z.strictObject({
  version: z.string(),
  used: z.number(),
  /** The file's time of change when it was of that version, by which one that was changed since is known; absent in records of version 1. */
  changed: z.number().exactOptional(),
});
/** What is known of a file that is there. */
export type FetchedFile = z.infer<typeof fetchedSchema>;

const recordSchema = z.discriminatedUnion('version', [
  z.strictObject({
    version: z.literal(1),
    fetched: z.record(z.string(), z.strictObject({ sha256: z.string(), used: z.number() })),
  }),
  z.strictObject({ version: z.literal(2), fetched: z.record(z.string(), fetchedSchema) }),
]);

/** By path in the store. Undefined where there is no record that can be read: nothing is known of what lies there then. */
function readCacheRecord(path: string): Map<string, FetchedFile> | undefined {
  try {
    const record = recordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    const fetched =
      record.version === 2
        ? Object.entries(record.fetched)
        : Object.entries(record.fetched).map(
            ([name, { sha256, used }]) => [name, { version: sha256, used }] as const,
          );
    return new Map(fetched);
  } catch {
    return undefined;
  }
}

async function writeCacheRecord(path: string, fetched: ReadonlyMap<string, FetchedFile>): Promise<void> {
  await writeFileAtomic(
    path,
    JSON.stringify({ version: 2, fetched: Object.fromEntries(fetched) } satisfies z.infer<
      typeof recordSchema
    >),
  );
}

/** Milliseconds after which the record of what was used is written. */
const recordDelay = 2000;

/** The record as a process keeps it. */
export class CacheRecord {
  readonly #path: string;
  readonly #here: ReadonlyMap<string, FetchedFile>;
  #timer: NodeJS.Timeout | undefined;

  /** `here` is what the process knows to be there, by path in the store. */
  constructor(path: string, here: ReadonlyMap<string, FetchedFile>) {
    this.#path = path;
    this.#here = here;
  }

  /** What the process before has left. Undefined where that can't be read: nothing is known of what lies there then. */
  read(): Map<string, FetchedFile> | undefined {
    return readCacheRecord(this.#path);
  }

  later(): void {
    this.#timer ??= setTimeout(() => void this.write().catch(() => {}), recordDelay).unref();
  }

  async write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await writeCacheRecord(this.#path, this.#here);
  }
}
