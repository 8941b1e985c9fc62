/** Opens what is compared: two runs, their dictionaries, and the rows on which their activations are. */
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import {
  type ExclusionRule,
  parseExclusionRule,
  printExclusionRule,
  strictest,
} from '../activations/exclusionRule.ts';
import { rowsOfRun } from '../activations/jointRows.ts';
import { openCapture, type Capture } from '../activations/openCapture.ts';
import { selectFetchedRows, type SelectedRows } from '../activations/selectRows.ts';
import { loadAutoencoder, type Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import { checkTrainedOn } from '../evaluation/openDictionary.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import type { Report } from '../progress.ts';
import { sharedThreshold } from '../spec/comparisonDefaults.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { hooksIn, isJoint } from '../spec/jointHook.ts';
import type { Layer } from '../spec/layers.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import type { DictionaryReference } from '../spec/manifests/comparison.ts';
import { runKind } from '../spec/manifests/run.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { fileChecksum } from '../store/fileChecksum.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readManifest } from '../store/readManifest.ts';
import { tf } from '../tensor/tf.ts';
import type { ChanceShape, SharedNulls } from './chance/comparisonChance.ts';
import { dictionaryKey } from './dictionaryKey.ts';
import { planMemory, type MemoryPlan } from './memoryPlan.ts';

/** Which two dictionaries to compare, and how. */
export interface CompareOptions {
  store: StoreLayout;
  name: string;
  a: DictionaryReference;
  b: DictionaryReference;
  /** Both cosines must reach it for a latent to count as shared. */
  threshold?: number;
  /** Held-out tokens on which activations are compared, from the first one; 0 leaves activations out. */
  maxTokens?: number;
  /** Bytes the process may take, without a limit by default. Checked before anything is read. */
  memory?: number;
  /** Relative optimality gap at which the sparse solver stops, for dictionaries too wide for the exact one. */
  targetGap?: number;
  /** The model of a's capture. When given, the functional swap of functionalSwap.ts is measured as well. */
  model?: LanguageModel;
  /** Rows on which activations are not compared; by default those that the training of either left out. */
  exclude?: ExclusionRule;
  /** What chance comparisons of one shape have in common, made once for a series of them; null leaves chance out. */
  nulls?: SharedNulls | null;
  report?: Report;
  /** Stops the comparison: an earlier one of this name stays as it is. */
  signal?: AbortSignal;
}

/** The widest dictionary that comparison is built and measured for. */
export const maximumLatents = 131_072;

/** One of the two dictionaries, and the rows of the capture that it reads: the same ones on both sides. */
export interface Side {
  dictionary: Autoencoder;
  hook: string;
  rows: SelectedRows;
}

/** What is compared, open: `dispose` closes it. */
export interface OpenedComparison {
  threshold: number;
  memory: MemoryPlan;
  /** Held-out tokens on which activations are compared. */
  maxTokens: number;
  capture: Capture;
  rule: ExclusionRule;
  /** Rows on which activations are compared, of hook points of the capture itself. */
  rows: SelectedRows;
  a: Side;
  b: Side;
  /** The activations that chance is of. */
  activations: ChanceShape['activations'];
  dispose(): void;
}

/** Throws as `compare` does, for what can't be compared. */
export async function openComparison(options: CompareOptions): Promise<OpenedComparison> {
  const { store, name, a, b, threshold = sharedThreshold } = options;
  checkThreshold(threshold);
  await checkName(store, name, a, b);
  const [runA, runB] = await Promise.all(
    [a, b].map(({ run }) => readManifest(store.runManifest(run), runKind)),
  );
  const sizes = { a: runA.config.width, b: runB.config.width, d: runA.d };
  const memory = planMemory(sizes, options.memory === undefined ? {} : { budget: options.memory });
  const maxTokens = options.maxTokens ?? comparedTokens(Math.max(sizes.a, sizes.b));
  const capture = await openCapture(store, runA.config.capture, {
    hooks: [runA, runB].flatMap(({ config }) => hooksOf(config)),
    fetch: 'as read',
  });
  if (maxTokens > 0) checkHook(capture, runB, b);
  const rule = options.exclude ?? strictest(ruleOf(runA), ruleOf(runB));
  if (options.model) await checkSwap(capture, { model: options.model, runA, runB });
  const dictionaryA = await loadAutoencoder(store, a.run, a.seed);
  const dictionaryB = await loadAutoencoder(store, b.run, b.seed);
  const dispose = () => {
    dictionaryA.dispose();
    dictionaryB.dispose();
    capture.close();
  };
  try {
    checkSizes(dictionaryA, a);
    checkSizes(dictionaryB, b);
    if (dictionaryA.d !== dictionaryB.d)
      throw new LazyscopeError(
        'bad_input',
        `'${dictionaryKey(a)}' reads activations of width ${dictionaryA.d} and '${dictionaryKey(b)}' of width ${dictionaryB.d}: compare runs on activations of one width.`,
      );
    const hooks = maxTokens > 0 ? [runA.config.hook, runB.config.hook] : [];
    const rows = await selectFetchedRows(capture, hooks.flatMap(hooksIn), rule);
    const side = (dictionary: Autoencoder, run: RunManifest): Side => ({
      dictionary,
      hook: run.config.hook,
      rows: rowsOfRun(rows, run),
    });
    return {
      threshold,
      memory,
      maxTokens,
      capture,
      rule,
      rows,
      a: side(dictionaryA, runA),
      b: side(dictionaryB, runB),
      activations: options.nulls === null ? null : await readActivations(capture, [runA, runB], rule),
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Everything that the blocks of a comparison depend on. */
export async function comparisonFacts({ store, a, b }: CompareOptions, opened: OpenedComparison) {
  const { memory, maxTokens, capture, rule, activations } = opened;
  const { manifest } = capture;
  return {
    version: 1,
    dictionaries: await Promise.all([a, b].map(({ run, seed }) => fileChecksum(store.dictionary(run, seed)))),
    capture: [manifest.tokens?.sha256, manifest.contextLength, manifest.firstPosition, manifest.contexts, manifest.heldOutContexts],
    activations: manifest.hooks.map(({ hook, shards }) => [hook, shards.map(({ sha256 }) => sha256)]),
    hooks: [opened.a.hook, opened.b.hook, activations?.hooks ?? null],
    rule: printExclusionRule(rule),
    maxTokens,
    memory: [memory.dense, memory.perRow, memory.perColumn],
    backend: tf.getBackend(),
  }; // prettier-ignore
}

/** Default for maxTokens, smaller for wide dictionaries, so that encoding takes at most a quarter of the time of one product of the two. */
function comparedTokens(latents: number): number {
  return latents <= 8192 ? 32_768 : Math.max(8192, latents / 8);
}

/** The rows that both dictionaries were trained on, of one capture; null where b reads a hook point that this capture lacks. */
async function readActivations(
  capture: Capture,
  [a, b]: readonly [RunManifest, RunManifest],
  rule: ExclusionRule,
) {
  // Chance is of decoder rows, which a transcoder has among its outputs.
  const hooks = [a.config.outputHook ?? a.config.hook, b.config.outputHook ?? b.config.hook] as const;
  const { manifest } = capture;
  const has = (hook: string, width?: number) =>
    manifest.hooks.some((known) => known.hook === hook && known.width === (width ?? known.width));
  if (!hooks.every((hook) => (isJoint(hook) ? hooksIn(hook).every((own) => has(own)) : has(hook, a.d))))
    return null;
  // Two crosscoders of one name whose activations are scaled otherwise would need two of them.
  if (hooks[0] === hooks[1] && !isDeepStrictEqual(a.layers, b.layers)) return null;
  const scales = JSON.stringify([a.layers, b.layers]);
  const key = `${manifest.name} ${manifest.createdAt} ${printExclusionRule(rule)} ${scales}`;
  const rows = await selectFetchedRows(capture, hooks.flatMap(hooksIn), rule);
  return { rows: rowsOfRun(rowsOfRun(rows, a), b), key, hooks };
}

function checkThreshold(threshold: number): void {
  if (threshold >= 0 && threshold <= 1) return;
  throw new LazyscopeError('bad_input', `The threshold is a cosine between 0 and 1, but got ${threshold}.`);
}

async function checkName(
  store: StoreLayout,
  name: string,
  a: DictionaryReference,
  b: DictionaryReference,
): Promise<void> {
  if (!existsSync(store.comparisonManifest(name))) return;
  const old = await readManifest(store.comparisonManifest(name), comparisonKind);
  if (dictionaryKey(old.a) === dictionaryKey(a) && dictionaryKey(old.b) === dictionaryKey(b)) return;
  throw new LazyscopeError(
    'conflict',
    `The comparison '${name}' is of '${dictionaryKey(old.a)}' with '${dictionaryKey(old.b)}': choose another name.`,
  );
}

const ruleOf = (run: RunManifest) => parseExclusionRule(run.exclusion?.rule ?? 'none');

function checkHook(capture: Capture, run: RunManifest, reference: DictionaryReference): void {
  const { hooks } = capture.manifest;
  const layers = run.layers ?? [{ hook: run.config.hook, width: run.d }];
  const has = ({ hook, width }: Pick<Layer, 'hook' | 'width'>) =>
    hooks.some((known) => known.hook === hook && known.width === width);
  if (layers.every(has)) return;
  throw new LazyscopeError(
    'bad_input',
    `The capture '${capture.manifest.name}' has no '${run.config.hook}' of width ${run.d}, which '${dictionaryKey(reference)}' reads: compare runs whose hook points are in one capture.`,
  );
}

async function checkSwap(
  capture: Capture,
  { model, runA, runB }: { model: LanguageModel; runA: RunManifest; runB: RunManifest },
): Promise<void> {
  const transcoder = [runA, runB].find(({ config }) => config.outputHook !== undefined);
  if (transcoder)
    throw new LazyscopeError(
      'bad_input',
      `Run '${transcoder.name}' is of transcoders, whose latents can't stand in for those of another: compare it without --swap.`,
    );
  const crosscoder = [runA, runB].find(({ layers }) => layers);
  if (crosscoder)
    throw new LazyscopeError(
      'bad_input',
      `Run '${crosscoder.name}' is of crosscoders, whose latents stand at several hook points at once: compare it without --swap.`,
    );
  if (runA.config.hook !== runB.config.hook)
    throw new LazyscopeError(
      'bad_input',
      `Latents that read '${runB.config.hook}' can't stand in at '${runA.config.hook}': swap between runs of one hook point.`,
    );
  await checkTrainedOn(model, runA.name, capture);
  if (capture.heldOutRows === 0)
    throw new LazyscopeError(
      'bad_input',
      `Capture '${capture.manifest.name}' holds nothing out to swap latents on: capture with a held-out fraction.`,
    );
}

function checkSizes(dictionary: Autoencoder, reference: DictionaryReference): void {
  if (dictionary.outputWidth !== dictionary.d)
    throw new LazyscopeError(
      'bad_input',
      `'${dictionaryKey(reference)}' reads activations of width ${dictionary.d} and predicts width ${dictionary.outputWidth}: only dictionaries of one width are compared.`,
    );
  if (dictionary.latents <= maximumLatents) return;
  throw new LazyscopeError(
    'bad_input',
    `'${dictionaryKey(reference)}' has ${dictionary.latents} latents, but comparison stops at ${maximumLatents}: compare narrower dictionaries.`,
  );
}
