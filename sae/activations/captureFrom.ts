/**
 * Makes a capture of activations that another program computed. They are read once, a piece at a time, so that they may
 * be longer than memory and may come through a pipe; contexts to hold out are therefore chosen as they come by.
 *
 * Without a language model there is nothing to measure losses with; without tokens nothing to show beside an activation. The manifest says
 * which of the two are there, and whoever needs one that is not leaves its figures out.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../errors.ts';
import { chooseColumns } from '../formats/activations/activationSource.ts';
import { joinedContexts } from '../formats/activations/joinedContexts.ts';
import type { ActivationFiles } from '../formats/activations/openActivations.ts';
import { parseHookPoint, type HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { silent, type Report } from '../progress.ts';
import { captureKind, type CaptureManifest, type Shard } from '../spec/manifests/capture.ts';
import { bytesOfType, type ShardType } from '../spec/shardTypes.ts';
import { writeFileAtomic } from '../store/atomicWrite.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import { writeVocabulary } from '../tokens/vocabulary.ts';
import { checkComputedBy } from './checkComputedBy.ts';
import { defaultExclusion } from './planCapture.ts';
import { printExclusionRule, type ExclusionRule } from './exclusionRule.ts';
import { recordModelPlace } from '../models/modelPlace.ts';
import { modelChecksum } from '../models/modelChecksum.ts';
import { normReport } from './normReport.ts';
import { openCapture } from './openCapture.ts';
import { ShardWriter, encodeShard } from './shardWriter.ts';
import { Stratified } from './stratified.ts';

export interface CaptureFromOptions {
  store: StoreLayout;
  name: string;
  files: ActivationFiles;
  hooks: readonly HookPoint[];
  /** The column or array that holds the activations, where its name isn't the hook's. */
  column?: string | undefined;
  /** What computed the activations, if it is at hand; its tokens are what the files' ids mean. */
  model?: LanguageModel | undefined;
  /** Of rows of single vectors, how many make a context; by default one, or as the tokens beside them have it. */
  contextLength?: number | undefined;
  /** Share of the contexts kept for evaluation; default 0.1. */
  heldOutFraction?: number | undefined;
  /** First position whose activations are kept; default 0. */
  firstPosition?: number | undefined;
  dtype?: ShardType | undefined;
  exclude?: ExclusionRule | undefined;
  /** Bytes of the largest shard. */
  shardBytes?: number;
  report?: Report;
  signal?: AbortSignal;
}

/**
 * Writes captures/<name>/. `leftOver` is how many rows at the end did not fill a context. Throws `conflict` when the name is taken; `bad_input` for activations
 * that don't fit the hooks, one another or the model, and for fewer contexts than can be held out of; what reading throws; `cancelled`. Nothing is left of a
 * capture that failed.
 */
export async function captureFrom(
  options: CaptureFromOptions,
): Promise<{ manifest: CaptureManifest; leftOver: number }> {
  const { store, name } = options;
  check(options);
  const folder = store.capture(name);
  return withLock(folder, `capture ${name}`, async () => {
    const path = store.captureManifest(name);
    if (existsSync(path))
      throw new LazyscopeError(
        'conflict',
        `There is a capture '${name}' already: choose another name, or delete it first.`,
      );
    const remove = async () => {
      for (const written of [
        store.captureTokens(name),
        ...options.hooks.map((hook) => store.captureHook(name, hook)),
      ])
        await removeStored(written);
    };
    await remove();
    try {
      const { manifest, leftOver } = await copy(options);
      if (options.model)
        await writeVocabulary(store.vocabulary(manifest.model.sha256), options.model.tokenizer);
      await writeManifest(path, captureKind, manifest);
      const opened = await openCapture(store, name);
      try {
        manifest.hooks = manifest.hooks.map((hook) => ({ ...hook, norms: normReport(opened, hook.hook) }));
      } finally {
        opened.close();
      }
      await writeManifest(path, captureKind, manifest);
      return { manifest, leftOver };
    } catch (error) {
      await removeStored(path);
      await remove();
      throw error;
    }
  });
}

function check({ model, hooks, ...options }: CaptureFromOptions): void {
  const refuse = (message: string) => new LazyscopeError('bad_input', message);
  const { heldOutFraction = 0.1, firstPosition = 0, contextLength = 1 } = options;
  if (hooks.length === 0) throw refuse('No hook point was given: name at least one.');
  if (new Set(hooks).size < hooks.length) throw refuse('A hook point is named twice: name each once.');
  for (const hook of hooks)
    if (model && !model.hookPoints.includes(hook))
      throw refuse(
        `Model '${model.name}' has no hook point '${hook}'; it has ${model.hookPoints.join(', ')}.`,
      );
  if (!(heldOutFraction >= 0 && heldOutFraction < 1))
    throw refuse(`The held-out fraction ${heldOutFraction} must be at least 0 and below 1.`);
  if (!Number.isInteger(firstPosition) || firstPosition < 0)
    throw refuse(`First position ${firstPosition} must be 0 or more.`);
  if (!Number.isInteger(contextLength) || contextLength < 1)
    throw refuse(`A context of ${contextLength} tokens must have at least one.`);
}

/** One of the two parts of a capture: contexts to train on, or contexts held out. */
interface Part {
  contexts: number;
  rows: number;
  writers: ShardWriter[];
  shards: Shard[][];
  tokens: Int32Array[];
}

/** What the first piece says of the whole. */
interface Shape {
  contextLength: number;
  widths: number[];
  hasTokens: boolean;
}

async function copy(options: CaptureFromOptions): Promise<{ manifest: CaptureManifest; leftOver: number }> {
  const { store, name, files, hooks, model, dtype = 'float16', firstPosition = 0, report = silent } = options;
  const folder = store.capture(name);
  const chosen = new Stratified(options.heldOutFraction ?? 0.1);
  let shape: Shape | undefined;
  let parts: { training: Part; heldOut: Part } | undefined;
  let rowsPerShard = 1;
  const flush = async (part: Part, prefix: string) => {
    if (part.rows === 0) return;
    const written = await Promise.all(
      part.writers.map((writer, i) => writer.flush(folder, part.shards[i].length, prefix)),
    );
    written.forEach((shard, i) => part.shards[i].push(shard));
    part.rows = 0;
  };
  let leftOver = 0;
  for (const openFile of files.open) {
    const reader = await openFile();
    try {
      const columns = chooseColumns(reader, hooks, options.column);
      const contexts = joinedContexts(
        reader.pieces(columns),
        options.contextLength,
        (rows) => (leftOver += rows),
      );
      for await (const piece of contexts) {
        if (options.signal?.aborted)
          throw new LazyscopeError('cancelled', `Capture '${name}' was stopped: nothing of it is kept.`);
        const columnsOf = columns.activations.map((column) => piece.activations.get(column)!);
        const found = {
          contextLength: piece.positions,
          widths: columnsOf.map(({ width }) => width),
          hasTokens: piece.tokens !== null,
        };
        if (!shape) {
          shape = found;
          await checkShape(options, shape);
          if (model && piece.tokens)
            await checkComputedBy({ model, hooks, piece, columns: columns.activations, source: reader.path });
          const rows = shape.contextLength - firstPosition;
          const widest = Math.max(...shape.widths);
          const bytes = rows * widest * bytesOfType[dtype];
          rowsPerShard = Math.max(1, Math.floor((options.shardBytes ?? 32 << 20) / bytes)) * rows;
          const part = (): Part => ({
            contexts: 0,
            rows: 0,
            writers: hooks.map((hook, i) => new ShardWriter(hook, found.widths[i], dtype, rowsPerShard)),
            shards: hooks.map(() => []),
            tokens: [],
          });
          parts = { training: part(), heldOut: part() };
        }
        if (!parts) break;
        refuseOther(reader.path, shape, found);
        const perContext = shape.contextLength - firstPosition;
        for (let context = 0; context < piece.contexts; context++) {
          const isHeldOut = chosen.next();
          const part = isHeldOut ? parts.heldOut : parts.training;
          columnsOf.forEach(({ width, values }, i) => {
            const start = context * piece.positions * width;
            const end = start + piece.positions * width;
            part.writers[i].append(values.subarray(start + firstPosition * width, end));
          });
          if (piece.tokens)
            part.tokens.push(piece.tokens.slice(context * piece.positions, (context + 1) * piece.positions));
          part.contexts++;
          part.rows += perContext;
          if (part.rows === rowsPerShard) await flush(part, isHeldOut ? 'held-out-' : '');
        }
        report({
          stage: 'capture',
          done: files.open.indexOf(openFile),
          total: files.open.length,
          unit: 'files',
          values: { tokens: (parts.training.contexts + parts.heldOut.contexts) * shape.contextLength },
        });
        await new Promise((next) => setImmediate(next));
      }
    } finally {
      await reader.close();
    }
  }
  if (!shape || !parts)
    throw new LazyscopeError('bad_input', `'${files.source}' holds no activations: give a file with rows.`);
  const { training, heldOut } = parts;
  await flush(training, '');
  await flush(heldOut, 'held-out-');
  if (training.contexts === 0 || (heldOut.contexts === 0 && (options.heldOutFraction ?? 0.1) > 0))
    throw new LazyscopeError(
      'bad_input',
      `'${files.source}' has ${training.contexts + heldOut.contexts} contexts, of which ${heldOut.contexts} would be held out: give more, or another --held-out.`,
    );
  return { manifest: await describe(options, shape, parts), leftOver };
}

async function describe(
  { store, name, files, hooks, model, dtype = 'float16', firstPosition = 0, exclude }: CaptureFromOptions,
  { contextLength, widths, hasTokens }: Shape,
  { training, heldOut }: { training: Part; heldOut: Part },
): Promise<CaptureManifest> {
  const shards = hooks.map((_, i) => [...training.shards[i], ...heldOut.shards[i]]);
  let tokens: Shard | null = null;
  if (hasTokens) {
    const all = new Int32Array((training.contexts + heldOut.contexts) * contextLength);
    [...training.tokens, ...heldOut.tokens].forEach((context, i) => all.set(context, i * contextLength));
    const { shard, bytes } = encodeShard('tokens.arrow', 'tokens', contextLength, all);
    await writeFileAtomic(store.captureTokens(name), bytes);
    tokens = shard;
  }
  const content = createHash('sha256');
  for (const shard of [...(tokens ? [tokens] : []), ...shards.flat()]) content.update(shard.sha256);
  return {
    version: 1,
    name,
    createdAt: new Date().toISOString(),
    status: 'complete',
    model: model ? await referenceTo(store, model) : { name: noModel, folder: '', sha256: 'none' },
    text: { source: files.source, sha256: content.digest('hex') },
    contextLength,
    contexts: training.contexts + heldOut.contexts,
    heldOutContexts: heldOut.contexts,
    firstPosition,
    dtype,
    tokens,
    ...(model && { specialTokens: [...(model.tokenizer.specialIds ?? [])] }),
    imported: { source: files.source, model: model !== undefined, tokens: hasTokens },
    exclude: printExclusionRule(exclude ?? defaultExclusion),
    hooks: hooks.map((hook, i) => ({ hook: parseHookPoint(hook).name, width: widths[i], shards: shards[i] })),
  };
}

/** What lists of captures say in place of a model's name. */
const noModel = 'no model';

async function checkShape(
  { model, hooks, files, contextLength, firstPosition = 0 }: CaptureFromOptions,
  shape: Shape,
): Promise<void> {
  const refuse = (message: string) => new LazyscopeError('bad_input', message);
  if (contextLength !== undefined && contextLength !== shape.contextLength)
    throw refuse(
      `The contexts of '${files.source}' have ${shape.contextLength} positions, not ${contextLength}: leave --context-length out.`,
    );
  if (firstPosition >= shape.contextLength)
    throw refuse(
      `First position ${firstPosition} leaves nothing of contexts of ${shape.contextLength}: use a smaller one, or give --context-length.`,
    );
  if (!model) return;
  if (!shape.hasTokens)
    throw refuse(
      `'${files.source}' has no tokens to run '${model.name}' on: add a column 'tokens', or leave --model out.`,
    );
  hooks.forEach((hook, i) => {
    const width = model.width(hook);
    if (width !== shape.widths[i])
      throw refuse(
        `The activations of '${files.source}' have width ${shape.widths[i]}, but '${hook}' of '${model.name}' has ${width}: give the model and hook that they are of.`,
      );
  });
  if (shape.contextLength > model.config.contextLength)
    throw refuse(
      `The contexts of '${files.source}' have ${shape.contextLength} positions, more than the ${model.config.contextLength} of '${model.name}': give the model that they are of.`,
    );
}

function refuseOther(path: string, shape: Shape, found: Shape): void {
  const said = ({ contextLength, widths, hasTokens }: Shape) =>
    `contexts of ${contextLength}, width ${widths.join(', ')}, ${hasTokens ? 'with' : 'without'} tokens`;
  if (said(shape) === said(found)) return;
  throw new LazyscopeError(
    'bad_input',
    `'${path}' has ${said(found)} where there were ${said(shape)} before: give files of one kind.`,
  );
}

async function referenceTo(
  store: StoreLayout,
  { name, folder }: Pick<LanguageModel, 'name' | 'folder'>,
): Promise<CaptureManifest['model']> {
  const sha256 = await modelChecksum(folder);
  return { name, folder: await recordModelPlace(store, folder, sha256), sha256 };
}
