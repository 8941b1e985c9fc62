/**
 * Runs a language model over text and stores the activations at chosen hook points.
 *
 * Several hooks share one forward pass. Every shard's checksum is in the manifest, which is rewritten as each
 * set of shards is finished, so that the shards it names are complete and a capture that was stopped resumes after them.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint } from '../models/hookPoints.ts';
import { silent } from '../progress.ts';
import { captureKind } from '../spec/manifests/capture.ts';
import type { CaptureManifest, Shard } from '../spec/manifests/capture.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import { withLock } from '../store/lock.ts';
import { readManifest } from '../store/readManifest.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { writeVocabulary } from '../tokens/vocabulary.ts';
import { hasContent, shardsLeft, type ShardsLeft } from './captureParts.ts';
import { fillShard } from './fillShard.ts';
import { normReport } from './normReport.ts';
import { openCapture } from './openCapture.ts';
import { type CaptureOptions, planCapture, refuseChange } from './planCapture.ts';
import { encodeShard, shardWriters } from './shardWriter.ts';

/**
 * Writes captures/<name>/. A finished capture of the same configuration is returned as it is; a partial one
 * goes on, or is ended at the shards that it has. Throws `conflict` when the name belongs to another configuration or another process is writing it,
 * `bad_input` for a hook or length the model doesn't have, `cancelled` when `signal` fires (finished shards stay).
 */
export async function capture(options: CaptureOptions): Promise<CaptureManifest> {
  const { store, name } = options;
  const folder = store.capture(name);
  const planned = await planCapture(options);
  return withLock(folder, `capture ${name}`, async () => {
    const path = store.captureManifest(name);
    await removeHalfWritten(folder);
    const begun = existsSync(path) ? await readManifest(path, captureKind) : undefined;
    const { tokens, shardContexts } = planned;
    if (begun) refuseChange(begun, planned.manifest, !('documents' in options.text));
    await writeVocabulary(store.vocabulary(planned.manifest.model.sha256), options.model.tokenizer);
    const manifest = begun
      ? {
          ...begun,
          hooks: await soundShards(folder, begun, shardContexts),
          ...(options.exclude && { exclude: planned.manifest.exclude }),
        }
      : planned.manifest;
    if (options.finish) {
      const ended = await cutShort(options, manifest, tokens);
      await reportNorms(options, { manifest: ended, begun });
      return ended;
    }
    const left = shardsLeft(options, planned);
    try {
      await writeFileAtomic(store.captureTokens(name), planned.tokenBytes);
      await run(options, { manifest, begun, left }, tokens, shardContexts);
      await reportNorms(options, { manifest, begun });
    } catch (error) {
      if (!existsSync(path)) await forget(options);
      throw error;
    }
    await left?.remove();
    return manifest;
  });
}

/** Reads the finished capture back and adds to its manifest how long its rows are. */
async function reportNorms(
  { store, name, exclude }: CaptureOptions,
  { manifest, begun }: { manifest: CaptureManifest; begun: CaptureManifest | undefined },
): Promise<void> {
  if (manifest.status !== 'complete') return;
  const missing = manifest.hooks.some(({ norms }) => !norms?.quantiles);
  if (missing) {
    const opened = await openCapture(store, name);
    try {
      manifest.hooks = manifest.hooks.map((hook) => ({ ...hook, norms: normReport(opened, hook.hook) }));
    } finally {
      opened.close();
    }
  }
  if (missing || exclude) await writeManifest(store.captureManifest(name), captureKind, manifest, begun);
}

/**
 * The capture with the contexts of its finished shards alone. Contexts were shuffled before any was run, so the last of
 * those are as random a sample to hold out as the last of all would have been.
 */
async function cutShort(
  { store, name, contextLength }: CaptureOptions,
  begun: CaptureManifest,
  tokens: Int32Array,
): Promise<CaptureManifest> {
  const rows = begun.hooks[0].shards.reduce((sum, shard) => sum + shard.rows, 0);
  const contexts = rows / (contextLength - begun.firstPosition);
  const share = begun.heldOutContexts / begun.contexts;
  const heldOutContexts = share === 0 ? 0 : Math.max(1, Math.round(contexts * share));
  if (heldOutContexts >= contexts)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${name}' has ${contexts} context${contexts === 1 ? '' : 's'} so far, too few to end with: run it again without --finish to go on.`,
    );
  const kept = tokens.subarray(0, contexts * contextLength);
  const { shard, bytes } = encodeShard('tokens.arrow', 'tokens', contextLength, kept);
  const ended: CaptureManifest = { ...begun, status: 'complete', contexts, heldOutContexts, tokens: shard };
  // Were it to end between the two, the capture would be a partial one, which writes its tokens anew.
  await writeFileAtomic(store.captureTokens(name), bytes);
  await writeManifest(store.captureManifest(name), captureKind, ended, begun);
  return ended;
}

/** Removes a capture that ended before its first shard: there is nothing to resume, and its name becomes free. */
async function forget({ store, name, hooks }: CaptureOptions): Promise<void> {
  const written = [store.captureTokens(name), ...hooks.map((hook) => store.captureHook(name, hook))];
  for (const path of written) await removeStored(path);
}

async function run(
  options: CaptureOptions,
  {
    manifest,
    begun,
    left,
  }: { manifest: CaptureManifest; begun: CaptureManifest | undefined; left: ShardsLeft | undefined },
  tokens: Int32Array,
  shardContexts: number,
) {
  const { store, name, model, contextLength, batchSize, report = silent, signal } = options;
  const { contexts, firstPosition } = manifest;
  const folder = store.capture(name);
  const hooks = manifest.hooks.map(({ hook }) => parseHookPoint(hook).name);
  const writers = shardWriters(manifest, shardContexts);

  const shardCount = Math.ceil(contexts / shardContexts);
  const started = performance.now();
  const firstShard = manifest.hooks[0].shards.length;
  /** Contexts that were computed here. */
  let computed = 0;
  /** The manifest is written after the shards that it names. */
  const add = async (shard: number, written: readonly Shard[]) => {
    for (const [i, entry] of written.entries()) manifest.hooks[i].shards.push(entry);
    manifest.status = shard === shardCount - 1 ? 'complete' : 'partial';
    await writeManifest(store.captureManifest(name), captureKind, manifest, begun);
  };
  const writeShard = async (shard: number) => {
    const flushes = writers.map((writer) => writer.flush(folder, shard));
    // Of several hooks' files none is being written any more when one has failed.
    await Promise.allSettled(flushes);
    await add(shard, await Promise.all(flushes));
  };
  // A shard is written while the model computes the next one.
  let writing = Promise.resolve();
  try {
    for (let shard = firstShard; shard < shardCount; shard++) {
      const first = shard * shardContexts;
      const end = Math.min(first + shardContexts, contexts);
      const before = computed;
      const passed = (to: number) => {
        computed = before + to - first;
        const tokensPerSecond = (computed * contextLength) / ((performance.now() - started) / 1000);
        report({
          stage: 'capture',
          done: to * contextLength,
          total: contexts * contextLength,
          unit: 'tokens',
          values: { tokensPerSecond },
        });
      };
      const found = await left?.take(shard);
      if (found) {
        if (signal?.aborted)
          throw new LazyscopeError('cancelled', `Capture '${name}' was stopped; run it again to go on.`);
        await writing;
        await add(shard, found);
        continue;
      }
      const pass = { name, model, hooks, writers, tokens, contextLength, firstPosition, batchSize, signal, passed }; // prettier-ignore
      await fillShard(pass, first, end);
      await writing;
      writing = writeShard(shard);
      // It is awaited later; a failure before then must not end the process as one that nobody handles.
      writing.catch(() => {});
    }
  } finally {
    // Whatever ended the loop, nothing is being written any more when the capture's lock is given back.
    await writing.catch(() => {});
  }
  await writing;
}

/** What a capture that was killed left half-written. Whoever holds the lock of the folder is its only writer. */
async function removeHalfWritten(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries)
    if (entry.isFile() && /^\..+\.partial$/.test(entry.name))
      await rm(join(entry.parentPath, entry.name), { force: true });
}

/** The shards that all hooks have, of the requested size, and whose files are as they were written; the others are made again. */
async function soundShards(folder: string, manifest: CaptureManifest, shardContexts: number) {
  const rowsPerContext = manifest.contextLength - manifest.firstPosition;
  let sound = Math.min(...manifest.hooks.map(({ shards }) => shards.length));
  for (const { shards } of manifest.hooks) {
    for (let i = 0; i < sound; i++) {
      const rows = Math.min(shardContexts, manifest.contexts - i * shardContexts) * rowsPerContext;
      const isSound = rows === shards[i].rows && (await hasContent(join(folder, shards[i].file), shards[i]));
      if (!isSound) sound = i;
    }
  }
  return manifest.hooks.map((hook) => ({ ...hook, shards: hook.shards.slice(0, sound) }));
}
