/**
 * Reads a finished capture. Rows are numbered context by context over the positions that were kept:
 * row = context × rowsPerContext + (position − firstPosition); training rows come first, held-out rows last.
 *
 * Sizes are checked on every opening. Checksums are verified once a process, when a shard's bytes are first
 * needed, so that opening a capture of a terabyte does not take an hour. A hook that fits the memory budget is
 * kept in memory; beyond it, rows are read from the files.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { bytesOfType } from '../spec/shardTypes.ts';
import { locateVectors } from '../formats/arrowVectors.ts';
import type { StoreLayout } from '../store/layout.ts';
import { captureKind } from '../spec/manifests/capture.ts';
import type { CaptureManifest, Shard } from '../spec/manifests/capture.ts';
import { readManifest } from '../store/readManifest.ts';
import { hasRoomFor, holdIn, isFetched } from '../store/remote/bringIn.ts';
import { type CaptureStream, ShardStream } from './captureStream.ts';
import { HookRows } from './hookRows.ts';
import { fileStatus } from '../store/fileStatus.ts';
import type { MapFile } from './mappedFile.ts';
import type { StoredTrainingRows } from './storedRows.ts';

const defaultMemoryBudget = 2 * 2 ** 30;

/** A finished capture, open for reading. It holds files: close it. */
export interface Capture {
  readonly manifest: CaptureManifest;
  /** [contexts × contextLength]; −1 throughout where it isn't known which tokens they were. */
  readonly tokens: Int32Array;
  readonly rowsPerContext: number;
  readonly trainRows: number;
  /** Number of held-out rows: they are rows trainRows … trainRows + heldOutRows − 1. */
  readonly heldOutRows: number;
  /** Throws `not_found` for a hook that was not captured. */
  width(hook: string): number;
  /** `count` consecutive rows from `start` on, [count × width]. */
  readRows(hook: string, start: number, count: number): Float32Array;
  /** Copies the given rows, in any order, into `out` [rows × width]. */
  gatherRows(hook: string, rows: Uint32Array, out: Float32Array): void;
  /** Of a capture that is fetched as it is read: rows are made ready before they are read. Absent where all are there. */
  readonly streaming?: CaptureStream;
  /**
   * The training rows of a hook point as they are stored; of a joint one those of each hook point in it. Absent where rows are not those of files that
   * are all here.
   */
  storedRows?(hook: string): readonly StoredTrainingRows[];
  /** The context of a row, and its position in the context. */
  rowToken(row: number): { context: number; position: number };
  /** Closes files and releases the memory; a later read opens the files again. */
  close(): void;
}

/** How rows are read; see `HookRows`. */
interface Reading {
  readonly memoryBudget: number;
  readonly asStored: boolean;
  readonly mapFile: MapFile | undefined;
}

class ShardedCapture implements Capture {
  readonly manifest: CaptureManifest;
  readonly tokens: Int32Array;
  readonly rowsPerContext: number;
  readonly trainRows: number;
  readonly heldOutRows: number;
  #folder: string;
  #reading: Reading;
  #hooks = new Map<string, HookRows>();
  #streams = new Map<string, ShardStream>();
  #release: () => void;
  streaming?: CaptureStream;

  constructor(
    folder: string,
    manifest: CaptureManifest,
    tokens: Int32Array,
    { release, ...reading }: Reading & { release: () => void },
  ) {
    this.#folder = folder;
    this.#reading = reading;
    this.#release = release;
    this.manifest = manifest;
    this.tokens = tokens;
    this.rowsPerContext = manifest.contextLength - manifest.firstPosition;
    this.trainRows = (manifest.contexts - manifest.heldOutContexts) * this.rowsPerContext;
    this.heldOutRows = manifest.heldOutContexts * this.rowsPerContext;
  }

  width(hook: string): number {
    return this.#entry(hook).width;
  }

  readRows(hook: string, start: number, count: number): Float32Array {
    const out = new Float32Array(count * this.width(hook));
    this.#rows(hook).read(start, count, out);
    return out;
  }

  gatherRows(hook: string, rows: Uint32Array, out: Float32Array): void {
    this.#rows(hook).gather(rows, out);
  }

  get storedRows(): Capture['storedRows'] {
    if (this.streaming) return undefined;
    return (hook) => [
      {
        width: this.width(hook),
        scale: 1,
        places: this.trainRows,
        dtype: this.manifest.dtype,
        blocks: () => this.#rows(hook).storedBlocks(this.trainRows),
        placesOf: (rows) => Int32Array.from(rows),
        gatheredAs: () => this.#rows(hook).gatheredAs,
        gather: (places, into) => this.#rows(hook).gatherStored(places, into),
      },
    ];
  }

  rowToken(row: number): { context: number; position: number } {
    const context = Math.floor(row / this.rowsPerContext);
    return { context, position: row - context * this.rowsPerContext + this.manifest.firstPosition };
  }

  /** From now on rows are fetched as they are read. */
  stream(): void {
    this.streaming = {
      memory: this.#reading.memoryBudget,
      ready: (hook, ...rows) => this.#stream(hook).ready(...rows),
      collect: (hook, ...rows) => this.#stream(hook).collect(...rows),
    };
  }

  /** Takes the rows of a hook point into memory, shard by shard as they come; false where they don't fit, and then nothing is read. */
  async load(hook: string): Promise<boolean> {
    if (!this.#rows(hook).keepsValues) return false;
    const rows = this.trainRows + this.heldOutRows;
    const { shards } = this.#entry(hook);
    for (let at = 0, row = 0; at < shards.length; row += shards[at++].rows)
      if (shards[at].rows > 0)
        await this.#stream(hook).ready(row, shards[at].rows, [row + shards[at].rows, rows]);
    return true;
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    for (const rows of this.#hooks.values()) rows.close();
    this.#hooks.clear();
    this.#release();
  }

  #entry(hook: string) {
    const entry = this.manifest.hooks.find((known) => known.hook === hook);
    if (entry) return entry;
    const known = this.manifest.hooks.map((h) => h.hook).join(', ');
    throw new LazyscopeError(
      'not_found',
      `Capture '${this.manifest.name}' has no hook '${hook}'; it has ${known}.`,
    );
  }

  #stream(hook: string): ShardStream {
    let stream = this.#streams.get(hook);
    if (!stream) {
      const paths = this.#entry(hook).shards.map(({ file }) => join(this.#folder, file));
      stream = new ShardStream(this.#rows(hook), paths);
      this.#streams.set(hook, stream);
    }
    return stream;
  }

  #rows(hook: string): HookRows {
    const open = this.#hooks.get(hook);
    if (open) return open;
    const { width, shards } = this.#entry(hook);
    let held = 0;
    for (const other of this.#hooks.values()) held += other.residentBytes;
    const rows = new HookRows({
      folder: this.#folder,
      shards,
      width,
      dtype: this.manifest.dtype,
      ...this.#reading,
      memoryBudget: this.#reading.memoryBudget - held,
    });
    this.#hooks.set(hook, rows);
    return rows;
  }
}

/**
 * Opens captures/<name>/ for reading. Throws `not_found` when there is no such capture, `bad_input` when it is not finished, and `corrupt`, naming
 * the file, when a file is missing or its size (here) or checksum (on first reading) is wrong.
 *
 * Of a store that lies elsewhere, `fetch` says when the shards of `hooks`, or of all hook points, are fetched. 'all': here, and `no_space` is thrown where
 * its cache has no room for them. 'as read': by `streaming`, which the caller uses before it reads. 'shuffled', for rows that are read in random
 * order, again and again: into memory where they fit the budget, else all of them into the cache where it has room, else as 'as read'.
 */
export async function openCapture(
  store: StoreLayout,
  name: string,
  options: {
    memoryBudget?: number;
    /**
     * Whether rows are read for devices that widen them: they are kept in memory as they are stored, where they would fit as float32 too, and files that
     * don't fit are mapped, where they are of this disk.
     */
    asStored?: boolean;
    hooks?: readonly string[];
    fetch?: 'all' | 'as read' | 'shuffled';
  } = {},
): Promise<Capture> {
  const folder = store.capture(name);
  const manifest = await readManifest(store.captureManifest(name), captureKind).catch((error) => {
    if (error instanceof LazyscopeError && error.code === 'not_found')
      throw new LazyscopeError(
        'not_found',
        `There is no capture '${name}' in '${store.captures()}': capture first.`,
      );
    throw error;
  });
  const isWithoutTokens = manifest.imported?.tokens === false && manifest.tokens === null;
  if (manifest.status !== 'complete' || (!manifest.tokens && !isWithoutTokens))
    throw new LazyscopeError(
      'bad_input',
      `Capture '${name}' is not finished: run the same capture again to go on.`,
    );
  if (manifest.firstPosition >= manifest.contextLength || manifest.heldOutContexts > manifest.contexts)
    throw new LazyscopeError(
      'corrupt',
      `'${store.captureManifest(name)}' names a first position or held-out contexts that it doesn't have: ${captureKind.remedy}.`,
    );
  const rows = manifest.contexts * (manifest.contextLength - manifest.firstPosition);
  const { contexts, contextLength } = manifest;
  if (manifest.tokens)
    checkShards(folder, [manifest.tokens], { rows: contexts, rowBytes: 4 * contextLength });
  const itemBytes = bytesOfType[manifest.dtype];
  for (const { shards, width } of manifest.hooks)
    checkShards(folder, shards, { rows, rowBytes: width * itemBytes });
  const read = manifest.hooks.filter(({ hook }) => options.hooks?.includes(hook) ?? true);
  const { fetch = 'all', memoryBudget = defaultMemoryBudget, asStored = false } = options;
  const pathsOf = (shards: readonly Shard[]) => shards.map(({ file }) => join(folder, file));
  const ofTokens = pathsOf(manifest.tokens ? [manifest.tokens] : []);
  const ofHooks = pathsOf(read.flatMap((hook) => hook.shards));
  // Files that were fetched make room for others.
  const mapFile = asStored && !isFetched(folder) ? (await import('./mappedFile.ts')).mapFile : undefined;
  const isStreamed = fetch !== 'all' && isFetched(folder);
  const releases = [await holdIn(isStreamed ? ofTokens : [...ofTokens, ...ofHooks])];
  const release = () => releases.forEach((one) => one());
  let capture: ShardedCapture | undefined;
  try {
    const tokens = manifest.tokens
      ? readTokens(folder, manifest.tokens, manifest)
      : new Int32Array(contexts * contextLength).fill(-1);
    capture = new ShardedCapture(folder, manifest, tokens, { memoryBudget, asStored, mapFile, release });
    if (!isStreamed) return capture;
    if (fetch === 'shuffled') {
      let isLoaded = true;
      for (const { hook } of read) isLoaded &&= await capture.load(hook);
      if (isLoaded) return capture;
      if (hasRoomFor([...ofTokens, ...ofHooks])) {
        releases.push(await holdIn(ofHooks));
        return capture;
      }
    }
    capture.stream();
    return capture;
  } catch (error) {
    if (capture) capture.close();
    else release();
    throw error;
  }
}

/** Their sizes on the disk bound what is asked of memory later. */
function checkShards(
  folder: string,
  shards: readonly Shard[],
  { rows, rowBytes }: { rows: number; rowBytes: number },
): void {
  const found = shards.reduce((sum, shard) => sum + shard.rows, 0);
  if (found !== rows)
    throw new LazyscopeError(
      'corrupt',
      `'${folder}' names shards of ${found} rows where it needs ${rows}: capture again.`,
    );
  for (const shard of shards) {
    const path = join(folder, shard.file);
    const status = fileStatus(path);
    const size = status?.isFile() ? status.size : undefined;
    if (size === undefined) throw new LazyscopeError('corrupt', `'${path}' is missing: capture again.`);
    if (size !== shard.bytes)
      throw new LazyscopeError(
        'corrupt',
        `'${path}' has ${size} bytes instead of ${shard.bytes}: capture again.`,
      );
    if (shard.rows * rowBytes > size)
      throw new LazyscopeError(
        'corrupt',
        `'${path}' has ${size} bytes, too few for ${shard.rows} rows of ${rowBytes}: capture again.`,
      );
  }
}

function readTokens(folder: string, shard: Shard, manifest: CaptureManifest): Int32Array {
  const path = join(folder, shard.file);
  const bytes = new Uint8Array(shard.bytes);
  const fd = openSync(path, 'r');
  try {
    for (let at = 0; at < bytes.length;) {
      const read = readSync(fd, bytes, at, bytes.length - at, at);
      if (read === 0) throw new LazyscopeError('corrupt', `'${path}' ends early: capture again.`);
      at += read;
    }
    if (createHash('sha256').update(bytes).digest('hex') !== shard.sha256)
      throw new LazyscopeError('corrupt', `'${path}' doesn't match its checksum: capture again.`);
    const { contexts, contextLength } = manifest;
    const start = locateVectors(fd, path, { rows: contexts, width: contextLength, item: 'int32' });
    return new Int32Array(bytes.slice(start, start + contexts * contextLength * 4).buffer);
  } finally {
    closeSync(fd);
  }
}
