/** What a capture will be, before anything is run: its contexts, in their order, and its manifest without shards. */
import { LazyscopeError } from '../errors.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { Report } from '../progress.ts';
import type { CaptureManifest } from '../spec/manifests/capture.ts';
import { bytesOfType, type ShardType } from '../spec/shardTypes.ts';
import type { StoreLayout } from '../store/layout.ts';
import { recordModelPlace } from '../models/modelPlace.ts';
import { packAny, type AnyText } from '../tokens/packAny.ts';
import { separatorOf, shuffleContexts, type SeparatorPlace } from '../tokens/packTokens.ts';
import { type ExclusionRule, excludesNothing, printExclusionRule } from './exclusionRule.ts';
import { modelChecksum } from '../models/modelChecksum.ts';
import { outlierFactor } from './normReport.ts';
import { encodeShard } from './shardWriter.ts';

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

/** What a capture will be. */
export interface PlannedCapture {
  /** [contexts × contextLength], in the order in which they are run. */
  tokens: Int32Array;
  /** What tokens.arrow holds. */
  tokenBytes: Uint8Array;
  /** Without shards. */
  manifest: CaptureManifest;
  /** Contexts of a shard. */
  shardContexts: number;
}

/** Throws `bad_input` for a hook or length the model doesn't have, and for a text that is too short. */
export async function planCapture(options: CaptureOptions): Promise<PlannedCapture> {
  check(options);
  const { contextLength } = options;
  const { tokens, sha256 } = options.heldOut ?? (await contextsOf(options));
  const manifest = await plan(options, tokens.length / contextLength, sha256);
  const { shard, bytes } = encodeShard('tokens.arrow', 'tokens', contextLength, tokens);
  manifest.tokens = shard;
  return {
    tokens,
    tokenBytes: bytes,
    manifest,
    shardContexts: contextsPerShard(manifest, options.shardBytes),
  };
}

/** Contexts whose activations at the widest hook fill a shard. */
function contextsPerShard(manifest: CaptureManifest, shardBytes = 32 << 20): number {
  const widest = Math.max(...manifest.hooks.map(({ width }) => width));
  const rows = manifest.contextLength - manifest.firstPosition;
  return Math.max(1, Math.floor(shardBytes / (rows * widest * bytesOfType[manifest.dtype])));
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
  const checksum = await modelChecksum(model.folder);
  return {
    version: 1,
    name: options.name,
    createdAt: new Date().toISOString(),
    status: 'partial',
    model: {
      name: model.name,
      folder: await recordModelPlace(options.store, model.folder, checksum),
      sha256: checksum,
    },
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
export function refuseChange(begun: CaptureManifest, planned: CaptureManifest, readInPart: boolean): void {
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
