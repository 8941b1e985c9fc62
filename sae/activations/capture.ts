/**
 * Runs a language model over text and stores the activations at chosen hook points.
 *
 * Several hooks share one forward pass. Every shard's checksum is in the manifest, which is rewritten as each
 * set of shards is finished, so that the shards it names are complete and a capture that was stopped resumes after them.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { captureKind } from '../spec/manifests/capture.ts';
import type { CaptureManifest, Shard } from '../spec/manifests/capture.ts';
import type { ShardType } from '../spec/shardTypes.ts';
import { readManifest } from '../store/readManifest.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { activationRows, passTokens } from './activationRows.ts';
import { type ExclusionRule, excludesNothing, printExclusionRule } from './exclusionRule.ts';
import { writeVocabulary } from '../tokens/vocabulary.ts';
import { modelChecksum } from './modelChecksum.ts';
import { separatorOf, shuffleContexts, type SeparatorPlace } from '../tokens/packTokens.ts';
import { normReport, outlierFactor } from './normReport.ts';
import { openCapture } from './openCapture.ts';
import { ShardWriter, encodeShard } from './shardWriter.ts';
import { packAny, type AnyText } from '../tokens/packAny.ts';

/** What to capture, from which model and text, and how it is stored. */
export interface CaptureOptions {
  store: StoreLayout;
  name: string;
  model: LanguageModel;
  /** In memory, or read as it is needed. */
  text: AnyText;
  hooks: readonly HookPoint[];
  /** Tokens in a context; at most the model's own context length. */
  contextLength: number;
  /** Most tokens to run through the model, the first position of each context included; the whole text when absent. */
  maxTokens?: number;
  /** Share of the contexts kept for evaluation; default 0.1. */
  heldOutFraction?: number;
  /** First position whose activations are kept; default 1. */
  firstPosition?: number;
  dtype?: ShardType;
  /** Where the token between documents goes; default `contexts`. */
  separatorBefore?: SeparatorPlace;
  /**
   * Rows that training and figures leave out, unless told otherwise there; by default those longer than ten times the
   * median. They are captured all the same.
   */
  exclude?: ExclusionRule;
  /** Contexts that were chosen already, all of them held out, with the checksum of the text; nothing is read then. */
  heldOut?: { tokens: Int32Array; sha256: string };
  /** Contexts in one forward pass; by default as many as make about 4,096 tokens. */
  batchSize?: number;
  /** Bytes of the largest shard. A capture can be resumed only with the same size. */
  shardBytes?: number;
  /** Ends a capture that was stopped at what is there, instead of going on. */
  finish?: boolean;
  report?: Report;
  signal?: AbortSignal;
}

/** Rows that training leaves out unless it is told otherwise (METHODS.md §6). */
export const defaultExclusion: ExclusionRule = { ...excludesNothing, norm: outlierFactor };

/**
 * Writes captures/<name>/. A finished capture of the same configuration is returned as it is; a partial one
 * goes on, or is ended at the shards that it has. Throws `conflict` when the name belongs to another configuration or another process is writing it,
 * `bad_input` for a hook or length the model doesn't have, `cancelled` when `signal` fires (finished shards stay).
 */
export async function capture(options: CaptureOptions): Promise<CaptureManifest> {
  const { store, name } = options;
  check(options);
  const folder = store.capture(name);
  const { tokens, sha256 } = options.heldOut ?? (await contextsOf(options));
  const planned = await plan(options, tokens.length / options.contextLength, sha256);
  return withLock(folder, `capture ${name}`, async () => {
    const path = store.captureManifest(name);
    await removeHalfWritten(folder);
    const begun = existsSync(path) ? await readManifest(path, captureKind) : undefined;
    const { shard, bytes } = encodeShard('tokens.arrow', 'tokens', options.contextLength, tokens);
    planned.tokens = shard;
    if (begun) refuseChange(begun, planned, !('documents' in options.text));
    await writeVocabulary(store.vocabulary(planned.model.sha256), options.model.tokenizer);
    const shardContexts = contextsPerShard(planned, options.shardBytes);
    const manifest = begun
      ? {
          ...begun,
          hooks: await soundShards(folder, begun, shardContexts),
          ...(options.exclude && { exclude: planned.exclude }),
        }
      : planned;
    if (options.finish) {
      const ended = await cutShort(options, manifest, tokens);
      await reportNorms(options, { manifest: ended, begun });
      return ended;
    }
    try {
      await writeFileAtomic(store.captureTokens(name), bytes);
      await run(options, { manifest, begun }, tokens, shardContexts);
      await reportNorms(options, { manifest, begun });
    } catch (error) {
      if (!existsSync(path)) await forget(options);
      throw error;
    }
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
  for (const path of written) await rm(path, { recursive: true, force: true });
}

async function run(
  options: CaptureOptions,
  { manifest, begun }: { manifest: CaptureManifest; begun: CaptureManifest | undefined },
  tokens: Int32Array,
  shardContexts: number,
) {
  const { store, name, model, contextLength, report = silent, signal } = options;
  const { contexts, firstPosition, dtype } = manifest;
  const rowsPerContext = contextLength - firstPosition;
  const folder = store.capture(name);
  const batchSize = options.batchSize ?? Math.max(1, Math.floor(passTokens / contextLength));
  const hooks = manifest.hooks.map(({ hook }) => parseHookPoint(hook).name);
  const writers = manifest.hooks.map(
    ({ hook, width }) =>
      new ShardWriter(hook, width, dtype, Math.min(shardContexts, contexts) * rowsPerContext),
  );

  const shardCount = Math.ceil(contexts / shardContexts);
  const started = performance.now();
  const firstShard = manifest.hooks[0].shards.length;
  /** The manifest is written after the shards that it names. */
  const writeShard = async (shard: number) => {
    const flushes = writers.map((writer) => writer.flush(folder, shard));
    // Of several hooks' files none is being written any more when one has failed.
    await Promise.allSettled(flushes);
    const written = await Promise.all(flushes);
    for (const [i, entry] of written.entries()) manifest.hooks[i].shards.push(entry);
    manifest.status = shard === shardCount - 1 ? 'complete' : 'partial';
    await writeManifest(store.captureManifest(name), captureKind, manifest, begun);
  };
  // A shard is written while the model computes the next one.
  let writing = Promise.resolve();
  try {
    for (let shard = firstShard; shard < shardCount; shard++) {
      const end = Math.min((shard + 1) * shardContexts, contexts);
      for (let from = shard * shardContexts; from < end; from += batchSize) {
        if (signal?.aborted)
          throw new LazyscopeError('cancelled', `Capture '${name}' was stopped; run it again to go on.`);
        const to = Math.min(from + batchSize, end);
        const batch = tokens.subarray(from * contextLength, to * contextLength);
        await activationRows({ model, hooks, tokens: batch, contextLength, firstPosition }, (hook, rows) =>
          writers[hook].append(rows),
        );
        const seen = (to - firstShard * shardContexts) * contextLength;
        const tokensPerSecond = seen / ((performance.now() - started) / 1000);
        report({
          stage: 'capture',
          done: to * contextLength,
          total: contexts * contextLength,
          unit: 'tokens',
          values: { tokensPerSecond },
        });
        // Lets a signal or a timer through between two forward passes, which block.
        await new Promise((next) => setImmediate(next));
      }
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

/** Contexts whose activations at the widest hook fill a shard. */
function contextsPerShard(manifest: CaptureManifest, shardBytes = 32 << 20): number {
  const widest = Math.max(...manifest.hooks.map(({ width }) => width));
  const rows = manifest.contextLength - manifest.firstPosition;
  return Math.max(1, Math.floor(shardBytes / (rows * widest * (manifest.dtype === 'float16' ? 2 : 4))));
}

function check({ model, hooks, contextLength, ...options }: CaptureOptions): void {
  const refuse = (message: string) => new LazyscopeError('bad_input', message);
  const longest = model.config.contextLength;
  const { heldOutFraction = 0.1, firstPosition = 1, batchSize = 1, maxTokens = Infinity } = options;
  if (hooks.length === 0) throw refuse('No hook point was given: name at least one.');
  if (new Set(hooks).size < hooks.length) throw refuse('A hook point is named twice: name each once.');
  for (const hook of hooks) {
    if (!model.hookPoints.includes(hook))
      throw refuse(
        `Model '${model.name}' has no hook point '${hook}'; it has ${model.hookPoints.join(', ')}.`,
      );
    if (hook.endsWith('.attn.hook_pattern'))
      throw refuse(`'${hook}' has no vector of fixed width a token: choose another hook point.`);
    if (hook.endsWith('.mlp.hook_expert_indices'))
      throw refuse(`'${hook}' numbers experts, which are no activations: choose another hook point.`);
  }
  if (!Number.isInteger(contextLength) || contextLength < 2 || contextLength > longest)
    throw refuse(`A context of ${contextLength} tokens doesn't suit '${model.name}': use 2 to ${longest}.`);
  if (!Number.isInteger(firstPosition) || firstPosition < 0 || firstPosition >= contextLength)
    throw refuse(
      `First position ${firstPosition} leaves nothing of a context of ${contextLength}: use a smaller one.`,
    );
  if (!(heldOutFraction >= 0 && heldOutFraction < 1))
    throw refuse(`The held-out fraction ${heldOutFraction} must be at least 0 and below 1.`);
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw refuse(`Batch size ${batchSize} must be 1 or more.`);
  if (!(maxTokens >= contextLength))
    throw refuse(`${maxTokens} tokens don't fill one context of ${contextLength}: allow more.`);
}

async function contextsOf({ model, text, contextLength, maxTokens = Infinity, ...options }: CaptureOptions) {
  const { tokens, sha256 } = await packAny(text, model.tokenizer, {
    contextLength,
    maxContexts: Math.floor(maxTokens / contextLength),
    before: options.separatorBefore,
    signal: options.signal,
  });
  if (tokens.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' doesn't fill one context of ${contextLength} tokens: use a longer text or shorter contexts.`,
    );
  return { tokens: shuffleContexts(tokens, contextLength), sha256 };
}

async function plan(options: CaptureOptions, contexts: number, sha256: string): Promise<CaptureManifest> {
  const { model, text, heldOutFraction = 0.1, separatorBefore = 'contexts' } = options;
  const share = heldOutFraction === 0 ? 0 : Math.max(1, Math.round(contexts * heldOutFraction));
  const heldOutContexts = options.heldOut ? contexts : share;
  if (!options.heldOut && heldOutContexts >= contexts)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' makes ${contexts} context${contexts === 1 ? '' : 's'}, of which ${heldOutContexts} would be held out: use more text or shorter contexts.`,
    );
  return {
    version: 1,
    name: options.name,
    createdAt: new Date().toISOString(),
    status: 'partial',
    model: { name: model.name, folder: model.folder, sha256: await modelChecksum(model.folder) },
    text: { source: text.source, sha256 },
    contextLength: options.contextLength,
    contexts,
    heldOutContexts,
    firstPosition: options.firstPosition ?? 1,
    dtype: options.dtype ?? 'float16',
    tokens: null,
    packing: { separator: separatorOf(model.tokenizer, separatorBefore) ?? null, before: separatorBefore },
    specialTokens: [...(model.tokenizer.specialIds ?? [])],
    exclude: printExclusionRule(options.exclude ?? defaultExclusion),
    hooks: options.hooks.map((hook) => ({ hook, width: model.width(hook), shards: [] })),
  };
}

/** Throws 'conflict' unless both manifests describe the same activations; only the time and the model's folder may differ. */
function refuseChange(begun: CaptureManifest, planned: CaptureManifest, readInPart: boolean): void {
  const facts = (m: CaptureManifest): Record<string, unknown> => ({
    'the model': m.model.sha256,
    'the text': m.text.sha256,
    'the context length': m.contextLength,
    'the number of contexts': m.contexts,
    'its tokens': m.tokens?.sha256,
    'the held-out part': m.heldOutContexts,
    'the first position': m.firstPosition,
    'the place of separators': m.packing?.before ?? 'contexts',
    'the number type': m.dtype,
    'the hook points': m.hooks.map(({ hook, width }) => `${hook} ${width}`).join(),
  });
  const was = facts(begun);
  const changed = Object.entries(facts(planned)).filter(
    ([what, value]) =>
      was[what] !== value &&
      // Of a text that is read as it is needed, the checksum is of as much as was needed: the tokens say whether it is the same.
      !(what === 'the text' && readInPart && begun.tokens?.sha256 === planned.tokens?.sha256),
  );
  if (changed.length > 0)
    throw new LazyscopeError(
      'conflict',
      `Capture '${begun.name}' exists with a different configuration (${changed.map(([what]) => what).join(', ')}): choose another name or delete it first.`,
    );
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

/** Whether a file has the size and the checksum that the manifest gives it. */
async function hasContent(path: string, { bytes, sha256 }: Shard): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size !== bytes) return false;
  const hash = createHash('sha256');
  for await (const block of createReadStream(path)) hash.update(block as Buffer);
  return hash.digest('hex') === sha256;
}
