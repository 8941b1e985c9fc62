/**
 * Captures in parts. A block is a shard: `parts/<key>/<hook>/<shard>.arrow` for each hook point and, once all of them are there,
 * `shard-<shard>.json` with their checksums. Whoever finishes the capture moves the files to their places and counts them in.
 */
import { existsSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint } from '../models/hookPoints.ts';
import { silent } from '../progress.ts';
import { captureKind, shardSchema, type Shard } from '../spec/manifests/capture.ts';
import { isOfPart, printPart, type Part } from '../spec/part.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import { blockPath, removeBlocks } from '../store/blocks.ts';
import { fileChecksum } from '../store/fileChecksum.ts';
import { readManifest } from '../store/readManifest.ts';
import { bringIn } from '../store/remote/bringIn.ts';
import { tf } from '../tensor/tf.ts';
import { fillShard } from './fillShard.ts';
import { type CaptureOptions, type PlannedCapture, planCapture, refuseChange } from './planCapture.ts';
import { shardWriters } from './shardWriter.ts';
import { makeFolder } from '../store/makeFolder.ts';

const recordSchema = z.strictObject({ shards: z.array(shardSchema) });

/** Everything that the bytes of a capture's shards depend on. */
function folderOf({ store, name, batchSize }: CaptureOptions, { manifest, shardContexts }: PlannedCapture) {
  const { model, tokens, contextLength, firstPosition, dtype, hooks } = manifest;
  return blockPath(store, 'capture', {
    version: 1,
    name,
    model: model.sha256,
    tokens: tokens?.sha256,
    contextLength,
    firstPosition,
    dtype,
    hooks: hooks.map(({ hook, width }) => [hook, width]),
    shardContexts,
    batchSize: batchSize ?? null,
    backend: tf.getBackend(),
  });
}

const recordOf = (folder: string, shard: number) =>
  join(folder, `shard-${String(shard).padStart(5, '0')}.json`);

/** The entries of one shard at every hook point, where a part has left them. */
async function readRecord(folder: string, shard: number): Promise<Shard[] | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordOf(folder, shard), 'utf8'))).shards;
  } catch {
    // It isn't there, or is damaged and counts as missing.
    return undefined;
  }
}

/**
 * Does one part of what `capture` does of the same options, which takes it from where this leaves it: every N-th shard. Gives the number of
 * its shards, and of those that were not there yet. Throws as `capture` does.
 */
export async function capturePart(
  options: CaptureOptions,
  part: Part,
): Promise<{ blocks: number; made: number }> {
  const { store, name, model, contextLength, batchSize, report = silent, signal } = options;
  if (options.finish || options.heldOut)
    throw new LazyscopeError('bad_input', 'A capture that is ended early has no parts: leave the part out.');
  const planned = await planCapture(options);
  const { manifest, tokens, shardContexts } = planned;
  const { contexts, firstPosition } = manifest;
  const path = store.captureManifest(name);
  let first = 0;
  if (existsSync(path)) {
    const begun = await readManifest(path, captureKind);
    refuseChange(begun, manifest, !('documents' in options.text));
    // Shards that the capture has already are checked, and made again if need be, by whoever finishes it.
    first = Math.min(...begun.hooks.map(({ shards }) => shards.length));
  }
  const folder = folderOf(options, planned);
  const hooks = manifest.hooks.map(({ hook }) => parseHookPoint(hook).name);
  const writers = shardWriters(manifest, shardContexts);
  const all = Array.from({ length: Math.ceil(contexts / shardContexts) }, (_, shard) => shard);
  const own = all.filter((shard) => isOfPart(shard, part) && shard >= first);
  const started = performance.now();
  let made = 0;
  let computed = 0;
  for (const [at, shard] of own.entries()) {
    const from = shard * shardContexts;
    const end = Math.min(from + shardContexts, contexts);
    const done = (share: number) =>
      report({
        stage: `part ${printPart(part)}`,
        done: at + share,
        total: own.length,
        unit: 'shards',
        values: { tokensPerSecond: (computed * contextLength) / ((performance.now() - started) / 1000) },
      });
    const there = await readRecord(folder, shard);
    if (there && (await areSound(folder, there))) {
      done(1);
      continue;
    }
    const before = computed;
    const passed = (to: number) => {
      computed = before + to - from;
      done((to - from) / (end - from));
    };
    await fillShard({ name, model, hooks, writers, tokens, contextLength, firstPosition, batchSize, signal, passed }, from, end); // prettier-ignore
    const shards: Shard[] = [];
    for (const writer of writers) shards.push(await writer.flush(folder, shard));
    await writeJsonAtomic(recordOf(folder, shard), { shards });
    made++;
  }
  return { blocks: own.length, made };
}

async function areSound(folder: string, shards: readonly Shard[]): Promise<boolean> {
  for (const shard of shards) if (!(await hasContent(join(folder, shard.file), shard))) return false;
  return true;
}

/** The shards of a capture that parts have left. */
export class ShardsLeft {
  readonly #folder: string;
  readonly #capture: string;

  /** `folder` has them, and they go into the folder `capture`. */
  constructor(folder: string, capture: string) {
    this.#folder = folder;
    this.#capture = capture;
  }

  /** Moves a shard's files into the capture, and gives their entries; undefined where they aren't all there and whole. */
  async take(shard: number): Promise<Shard[] | undefined> {
    const shards = await readRecord(this.#folder, shard);
    if (!shards) return undefined;
    for (const entry of shards) {
      const place = join(this.#capture, entry.file);
      const left = join(this.#folder, entry.file);
      if (await hasContent(left, entry)) {
        makeFolder(dirname(place));
        await rename(left, place);
        // A finishing that was killed before it wrote the manifest has moved it already.
      } else if (!(await hasContent(place, entry))) return undefined;
    }
    return shards;
  }

  remove(): Promise<void> {
    return removeBlocks(this.#folder);
  }
}

/** Undefined where no part has left any. */
export function shardsLeft(options: CaptureOptions, planned: PlannedCapture): ShardsLeft | undefined {
  const folder = folderOf(options, planned);
  return existsSync(folder) ? new ShardsLeft(folder, options.store.capture(options.name)) : undefined;
}

/** Whether a file has the size and the checksum that a manifest gives it. */
export async function hasContent(path: string, { bytes, sha256 }: Shard): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== bytes) return false;
  await bringIn(path);
  return (await fileChecksum(path)) === sha256;
}
