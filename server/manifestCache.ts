/**
 * The manifests of the store, each read once until its file changes. A file is taken to be unchanged while its time of change,
 * size and inode are: asking for these reads nothing, and a writer that renames a new file into place changes the inode.
 *
 * Small manifests are kept in one file of the store as well, so that a server that has just started reads that file instead of
 * all of them. Nothing else depends on that file: what isn't in it, or has changed since, is read where it lies.
 */

import { isAbsolute, relative, sep } from 'node:path';
import { z } from 'zod';
import { isLazyscopeError, LazyscopeError } from '../sae/errors.ts';
import { readTextFile, readTextFileSync } from '../sae/formats/readTextFile.ts';
import type { ManifestKind } from '../sae/spec/manifests/manifestKind.ts';
import { writeFileAtomic } from '../sae/store/atomicWrite.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { acceptManifest, mostManifestBytes, parseManifest } from '../sae/store/readManifest.ts';
import type { Log } from './log.ts';
import { fileStatus } from '../sae/store/fileStatus.ts';

/** Manifests in memory, by the bytes of their files; the least recently used go first. */
const mostBytes = 64 << 20;
/** Larger ones (captures of thousands of shards, reports) are not copied into the index, nor more than this in all. */
const mostIndexedBytes = 16 << 10;
const mostIndexBytes = 16 << 20;
/** Milliseconds after which what was read is written to the index. */
const indexDelay = 2000;

const stampSchema = z.strictObject({ changed: z.number(), bytes: z.number(), inode: z.number() });
type Stamp = z.infer<typeof stampSchema>;

const indexSchema = z.strictObject({
  version: z.literal(1),
  manifests: z.record(z.string(), z.strictObject({ stamp: stampSchema, document: z.unknown() })),
});

interface Entry {
  stamp: Stamp;
  kind: ManifestKind<{ version: number }>;
  /** What reading it came to. */
  result: { document: { version: number } } | { error: LazyscopeError };
}

export class ManifestCache {
  /** Files that were read since this server started, the index among them. */
  filesRead = 0;
  readonly #store: StoreLayout;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #reading = new Map<string, Promise<Entry>>();
  /** What the index file says, by path; undefined until it has been looked at. */
  #index: Map<string, { stamp: Stamp; document: unknown }> | undefined;
  #bytes = 0;
  #unsaved = false;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(store: StoreLayout, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /**
   * What comes back is shared: it is not the caller's to change. Throws 'not_found' when there is no such file, 'corrupt' and
   * 'newer' as the reader does; what is wrong with a file is logged once.
   */
  async read<Document extends { version: number }>(
    path: string,
    kind: ManifestKind<Document>,
  ): Promise<Document> {
    const stamp = stampOf(path);
    const known = this.#entries.get(path);
    const entry =
      known && known.kind === kind && sameStamp(known.stamp, stamp)
        ? this.#touched(path, known)
        : await this.#fetch(path, kind, stamp);
    if ('error' in entry.result) throw entry.result.error;
    // The entry was made with this very kind.
    return entry.result.document as Document;
  }

  /** Writes the index, when there is something new to write, and stops looking after it. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#save();
  }

  #touched(path: string, entry: Entry): Entry {
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    return entry;
  }

  /** Two that ask for one file at a time share its reading. */
  #fetch<Document extends { version: number }>(
    path: string,
    kind: ManifestKind<Document>,
    stamp: Stamp,
  ): Promise<Entry> {
    const key = `${stamp.inode} ${stamp.changed} ${stamp.bytes} ${path}`;
    const begun = this.#reading.get(key);
    if (begun) return begun;
    const reading = this.#readEntry(path, kind, stamp).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }

  async #readEntry<Document extends { version: number }>(
    path: string,
    kind: ManifestKind<Document>,
    stamp: Stamp,
  ): Promise<Entry> {
    let result: Entry['result'] | undefined = this.#fromIndex(path, kind, stamp);
    if (!result) {
      this.filesRead++;
      try {
        result = { document: parseManifest(await readTextFile(path, mostManifestBytes), path, kind) };
        this.#saveLater();
      } catch (error) {
        if (!isLazyscopeError(error) || error.code === 'not_found') throw error;
        this.#log(error.message);
        result = { error };
      }
    }
    const entry: Entry = { stamp, kind: kind as unknown as Entry['kind'], result };
    this.#keep(path, entry);
    return entry;
  }

  #keep(path: string, entry: Entry): void {
    const before = this.#entries.get(path);
    if (before) this.#bytes -= before.stamp.bytes;
    this.#bytes += entry.stamp.bytes;
    this.#touched(path, entry);
    for (const [oldest, { stamp }] of this.#entries) {
      if (this.#bytes <= mostBytes || oldest === path) break;
      this.#entries.delete(oldest);
      this.#bytes -= stamp.bytes;
    }
  }

  #fromIndex<Document extends { version: number }>(
    path: string,
    kind: ManifestKind<Document>,
    stamp: Stamp,
  ): Entry['result'] | undefined {
    this.#index ??= this.#readIndex();
    const found = this.#index.get(path);
    this.#index.delete(path);
    if (!found || !sameStamp(found.stamp, stamp)) return undefined;
    try {
      return { document: acceptManifest(found.document, path, kind) };
    } catch {
      return undefined;
    }
  }

  #readIndex(): Map<string, { stamp: Stamp; document: unknown }> {
    const path = this.#store.manifestIndex();
    if (!fileStatus(path)) return new Map();
    this.filesRead++;
    try {
      const { manifests } = indexSchema.parse(JSON.parse(readTextFileSync(path, 4 * mostIndexBytes)));
      return new Map(
        Object.entries(manifests).map(([name, entry]) => [
          `${this.#store.root}${sep}${name.replaceAll('/', sep)}`,
          entry,
        ]),
      );
    } catch (error) {
      this.#log(`'${path}' can't be used and will be written again.`, error);
      return new Map();
    }
  }

  #saveLater(): void {
    this.#unsaved = true;
    this.#timer ??= setTimeout(() => void this.#save(), indexDelay).unref();
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#saving;
    if (!this.#unsaved) return;
    this.#unsaved = false;
    this.#saving = this.#writeIndex().catch((error: unknown) => {
      this.#log(
        `'${this.#store.manifestIndex()}' can't be written: a server that starts reads more files.`,
        error,
      );
    });
    await this.#saving;
  }

  async #writeIndex(): Promise<void> {
    const manifests: Record<string, { stamp: Stamp; document: unknown }> = {};
    let bytes = 0;
    const add = (path: string, entry: { stamp: Stamp; document: unknown }) => {
      const name = relative(this.#store.root, path);
      if (isAbsolute(name) || name.startsWith('..') || entry.stamp.bytes > mostIndexedBytes) return;
      if (bytes + entry.stamp.bytes > mostIndexBytes) return;
      bytes += entry.stamp.bytes;
      manifests[name.replaceAll(sep, '/')] = entry;
    };
    for (const [path, { stamp, result }] of this.#entries)
      if ('document' in result) add(path, { stamp, document: result.document });
    // What this server has not been asked for yet stays for the next one, as long as it is there and unchanged.
    for (const [path, entry] of this.#index ?? [])
      if (sameStamp(entry.stamp, currentStamp(path))) add(path, entry);
    await writeFileAtomic(
      this.#store.manifestIndex(),
      JSON.stringify({ version: 1, manifests } satisfies z.infer<typeof indexSchema>),
    );
  }
}

function stampOf(path: string): Stamp {
  const stamp = currentStamp(path);
  if (!stamp)
    throw new LazyscopeError('not_found', `'${path}' can't be read: check the name and the data folder.`);
  return stamp;
}

function currentStamp(path: string): Stamp | undefined {
  const found = fileStatus(path);
  return found && { changed: found.mtimeMs, bytes: found.size, inode: found.ino };
}

function sameStamp(a: Stamp, b: Stamp | undefined): boolean {
  return b !== undefined && a.changed === b.changed && a.bytes === b.bytes && a.inode === b.inode;
}
