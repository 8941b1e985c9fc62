/**
 * Training without a capture of the training rows. The held-out contexts are captured first, as few as are wanted: evaluation, index and
 * comparison read them like those of any capture, and the median norm that tells which rows are left out is theirs.
 */
import { capture } from '../activations/capture.ts';
import type { ExclusionRule } from '../activations/exclusionRule.ts';
import { gatherContexts, heldOutContexts } from '../activations/heldOutContexts.ts';
import { ModelBatches } from '../activations/modelBatches.ts';
import { modelChecksum } from '../models/modelChecksum.ts';
import type { Capture } from '../activations/openCapture.ts';
import { median, rowNorms } from '../activations/rowNorms.ts';
import { LazyscopeError } from '../errors.ts';
import { type HookPoint, parseHookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import type { Report } from '../progress.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { bytesOfType, type ShardType } from '../spec/shardTypes.ts';
import type { StoreLayout } from '../store/layout.ts';
import { packAny } from '../tokens/packAny.ts';
import type { SeparatorPlace } from '../tokens/packTokens.ts';
import type { TextSource } from '../tokens/text/openText.ts';

/** What a run that reads from a model needs besides its configuration, as run.json keeps it. */
export type ModelSource = NonNullable<RunManifest['fromModel']>;

/** A model and a text that are open, and what run.json says of them. */
export interface OpenModelSource {
  model: LanguageModel;
  text: TextSource;
  facts: ModelSource;
}

export interface HeldOutOptions {
  store: StoreLayout;
  /** Name of the capture of the held-out contexts. One that is there already is used again if it is the same. */
  capture: string;
  model: LanguageModel;
  hook: HookPoint;
  text: TextSource;
  /** The text as it was named, for run.json. */
  named: Pick<ModelSource, 'text' | 'textField'>;
  contextLength: number;
  firstPosition: number;
  before: SeparatorPlace;
  dtype: ShardType;
  exclude?: ExclusionRule | undefined;
  /** About as many tokens are held out, if the text has ten times as many; otherwise a tenth of it. */
  heldOutTokens: number;
  bufferTokens: number;
  report?: Report;
  signal?: AbortSignal;
}

/** One of so many contexts at the beginning of the text is held out. */
const heldOutOneOf = 10;
/** Of the buffer by default, in rows and in bytes. */
const usualBuffer = { rows: 1 << 18, bytes: 1 << 30 };

/** Rows that the buffer holds unless it is said: 262,144, or as many as fit 1 GiB. */
export function usualBufferTokens(d: number, dtype: ShardType): number {
  return Math.min(usualBuffer.rows, Math.floor(usualBuffer.bytes / (d * bytesOfType[dtype])));
}

/** Captures the held-out contexts. Throws as `capture` does, and `bad_input` for a text or a buffer that is too small. */
export async function holdOut(options: HeldOutOptions): Promise<OpenModelSource> {
  const { store, model, text, contextLength, firstPosition, before, named, bufferTokens, signal } = options;
  const rowsPerContext = contextLength - firstPosition;
  if (bufferTokens < rowsPerContext)
    throw new LazyscopeError(
      'bad_input',
      `A buffer of ${bufferTokens} tokens doesn't hold the ${rowsPerContext} of one context: give a larger --buffer-tokens.`,
    );
  const wanted = Math.max(1, Math.ceil(options.heldOutTokens / contextLength));
  const { tokens, sha256 } = await packAny(text, model.tokenizer, {
    contextLength,
    maxContexts: wanted * heldOutOneOf,
    before,
    signal,
  });
  const of = tokens.length / contextLength;
  if (of < 2)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' makes ${of} context${of === 1 ? '' : 's'} of ${contextLength} tokens, too few to hold one out: use more text or shorter contexts.`,
    );
  const numbers = heldOutContexts(of, Math.max(1, Math.round(of / heldOutOneOf)));
  await capture({
    store,
    name: options.capture,
    model,
    text,
    hooks: [options.hook],
    contextLength,
    firstPosition,
    separatorBefore: before,
    dtype: options.dtype,
    exclude: options.exclude,
    heldOut: { tokens: gatherContexts(tokens, contextLength, numbers), sha256 },
    report: options.report,
    signal,
  });
  const textBytes = text.files.reduce((sum, { bytes }) => sum + bytes, 0);
  return { model, text, facts: { ...named, textBytes, heldOutOf: of, bufferTokens } };
}

export interface BatchesFromModel {
  capture: Capture;
  hook: string;
  source: OpenModelSource;
  rule: ExclusionRule;
  batchSize: number;
  seed: number;
  rowsWanted: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/** The batches of a run. Throws `bad_input` when the model or the text is not what the held-out rows are from. */
export async function batchesFromModel(options: BatchesFromModel): Promise<ModelBatches> {
  const { capture: heldOut, source, rule, hook } = options;
  const { model, text, facts } = source;
  const { name, contextLength, firstPosition, packing, specialTokens, dtype, contexts } = heldOut.manifest;
  if (heldOut.manifest.model.sha256 !== (await modelChecksum(model.folder)))
    throw new LazyscopeError(
      'bad_input',
      `The held-out rows in capture '${name}' are of '${heldOut.manifest.model.name}', whose files differ from '${model.folder}': give that model, or another --capture to make.`,
    );
  const before = packing?.before ?? 'contexts';
  const read = await packAny(text, model.tokenizer, {
    contextLength,
    maxContexts: facts.heldOutOf,
    before,
    signal: options.signal,
  });
  const numbers = heldOutContexts(facts.heldOutOf, contexts);
  const bytes = text.files.reduce((sum, file) => sum + file.bytes, 0);
  const same =
    bytes === facts.textBytes &&
    read.tokens.length === facts.heldOutOf * contextLength &&
    gatherContexts(read.tokens, contextLength, numbers).every((token, i) => token === heldOut.tokens[i]);
  if (!same)
    throw new LazyscopeError(
      'bad_input',
      `'${text.source}' is not the text whose held-out rows are in capture '${name}': give that text, or another --capture to make.`,
    );
  return new ModelBatches({
    model,
    hook: parseHookPoint(hook).name,
    text,
    contextLength,
    firstPosition,
    before,
    dtype,
    bufferTokens: facts.bufferTokens,
    stores: fusedKernels().rowStores,
    batchSize: options.batchSize,
    seed: options.seed,
    rowsWanted: options.rowsWanted,
    heldOut: new Set(numbers),
    leftOut: {
      position: rule.position,
      norm: rule.norm === null ? null : rule.norm * median(rowNorms(heldOut, hook)),
      tokens: new Set(rule.special ? specialTokens : []),
    },
    report: options.report,
    signal: options.signal,
  });
}

/** Throws `bad_input` when a run that is resumed read otherwise before. */
export function checkSameSource(
  name: string,
  began: ModelSource | undefined,
  now: ModelSource | undefined,
): void {
  if (began === undefined && now === undefined) return;
  const changed =
    began === undefined || now === undefined
      ? [now === undefined ? 'it read from a model' : 'it read a capture']
      : (['textBytes', 'textField', 'heldOutOf', 'bufferTokens'] as const)
          .filter((fact) => began[fact] !== now[fact])
          .map((fact) => `${fact} was ${began[fact] ?? 'not given'}`);
  if (changed.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' was started otherwise (${changed.join(', ')}): resume it as it was, by --name and --resume alone.`,
    );
}
