/** What every study of trained seeds does with its store: capture once, configure, train, evaluate, and compare seed with seed. */
import { existsSync } from 'node:fs';
import { stringify } from 'yaml';
import type { SharedNulls } from '../../sae/comparison/chance/comparisonChance.ts';
import { compare } from '../../sae/comparison/compare.ts';
import { evaluate } from '../../sae/evaluation/evaluate.ts';
import { capture } from '../../sae/activations/capture.ts';
import { readText } from '../../sae/tokens/readText.ts';
import { parseHookPoint } from '../../sae/models/hookPoints.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { evaluationKind, type Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import { comparisonKind, type ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { TrainingConfig } from '../../sae/spec/architectures/architectures.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { configureSweep } from '../../sae/training/sweep.ts';
import { loadModel } from '../commandLine/models.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { seedPairs } from '../commands/compare.ts';

/** A capture as a study's file describes it; without `tokens` the whole text. */
export interface StudyCapture {
  name: string;
  text: string;
  hooks: readonly string[];
  tokens?: number | undefined;
}

/** A run as its sweep configures it. */
export interface StudyConfiguration {
  name: string;
  config: TrainingConfig;
}

/** A run whose seeds are trained, evaluated and compared. */
export interface StudyRun extends StudyConfiguration {
  evaluations: Evaluation[];
  comparisons: ComparisonManifest[];
}

/** A model that is loaded when it is first asked for. */
export interface ModelOnDemand {
  open: () => Promise<LanguageModel>;
  dispose: () => Promise<void>;
}

export function modelOnDemand(store: StoreLayout, model: string): ModelOnDemand {
  let opened: Promise<LanguageModel> | undefined;
  return {
    open: () => (opened ??= loadModel(store, model)),
    dispose: async () => (await opened)?.dispose(),
  };
}

/** Captures unless the capture is whole; one that was stopped goes on. */
export async function captureOnce(
  { store, report, signal }: Session,
  { name, text, hooks, tokens }: StudyCapture,
  model: ModelOnDemand,
): Promise<void> {
  const path = store.captureManifest(name);
  if (existsSync(path) && (await readManifest(path, captureKind)).status === 'complete') return;
  await capture({
    store,
    name,
    model: await model.open(),
    text: await readText(text),
    hooks: hooks.map((hook) => parseHookPoint(hook).name),
    contextLength: 128,
    ...(tokens !== undefined && { maxTokens: tokens }),
    report,
    signal,
  });
}

/** The runs of a sweep given as an object; its capture must be there. */
export function configureStudySweep(store: StoreLayout, sweep: object): Promise<StudyConfiguration[]> {
  return configureSweep(store, stringify(sweep));
}

/** Whether every seed of the run is trained to the end. */
export async function isTrained(store: StoreLayout, name: string): Promise<boolean> {
  const path = store.runManifest(name);
  return existsSync(path) && (await readManifest(path, runKind)).status === 'complete';
}

/** Evaluates and compares what of a trained run is not yet, as long as `mayBegin` says so. */
export async function evaluateAndCompare(
  { store, report, signal }: Session,
  { name, config }: StudyConfiguration,
  given: {
    model: ModelOnDemand;
    mayBegin: () => boolean;
    tokens: { evaluated: number; losses: number; compared: number };
    nulls?: SharedNulls;
  },
): Promise<void> {
  const { model, mayBegin, tokens, nulls } = given;
  for (const seed of config.seeds)
    if (!existsSync(store.evaluation(name, seed)) && mayBegin())
      await evaluate({
        store,
        run: name,
        seed,
        model: await model.open(),
        maxTokens: tokens.evaluated,
        lossTokens: tokens.losses,
        report,
        signal,
      });
  for (const pair of seedPairs(name, config.seeds))
    if (!existsSync(store.comparisonManifest(pair.name)) && mayBegin())
      await compare({ store, ...pair, maxTokens: tokens.compared, ...(nulls && { nulls }), report, signal });
}

/** What is stored of a run; null unless every seed is evaluated and every pair of seeds compared. */
export async function storedRun(
  store: StoreLayout,
  { name, config }: StudyConfiguration,
): Promise<StudyRun | null> {
  const pairs = seedPairs(name, config.seeds);
  const isWhole =
    (await isTrained(store, name)) &&
    config.seeds.every((seed) => existsSync(store.evaluation(name, seed))) &&
    pairs.every((pair) => existsSync(store.comparisonManifest(pair.name)));
  if (!isWhole) return null;
  return {
    name,
    config,
    evaluations: await Promise.all(
      config.seeds.map((seed) => readManifest(store.evaluation(name, seed), evaluationKind)),
    ),
    comparisons: await Promise.all(
      pairs.map((pair) => readManifest(store.comparisonManifest(pair.name), comparisonKind)),
    ),
  };
}
