/** The demo's work up to trained dictionaries, and its sparsity reports. Each step knows what is done already. */
import { existsSync } from 'node:fs';
import { LazyscopeError, isLazyscopeError } from '../../sae/errors.ts';
import type { LanguageModel } from '../../sae/models/languageModel.ts';
import type { ArchitectureName, ConfigOf } from '../../sae/spec/architectures/architectures.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import { sparsityReportKind } from '../../sae/spec/manifests/sparsityReport.ts';
import type { SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { loadModel } from '../commandLine/models.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { trainRuns } from '../commands/train.ts';
import { settingDifferences } from './settingDifferences.ts';

/** What the demo trains and compares. More would take longer and show no other lesson. */
export const demoArchitectures = ['relu', 'topk', 'jumprelu'] as const satisfies readonly ArchitectureName[];

type DemoArchitecture = (typeof demoArchitectures)[number];

export interface DemoTraining {
  batchSize: number;
  /** Tokens that each dictionary is trained on at least. */
  leastTokens: number;
  /** Latents for each dimension of the activations. */
  expansion: number;
  /** What else is not left to the defaults, by architecture: how many latents are active. */
  settings: { [Name in DemoArchitecture]: Partial<ConfigOf<Name>> };
}

/**
 * Chosen for what comes back in another seed beyond chance, among settings that reconstruct well enough for the model
 * to go on as before: scripts/studies/demo-choice.md. A quarter of the usual batch makes four times the steps of the
 * same tokens; at 256 the steps no longer pay for themselves.
 */
export const bundledTraining: DemoTraining = {
  batchSize: 512,
  leastTokens: 0,
  expansion: 4,
  settings: { relu: { targetL0: 8 }, topk: { k: 4 }, jumprelu: { targetL0: 4 } },
};

/**
 * For someone's own model, whose activations are wider and whose captures are shorter: eight latents a dimension, all
 * architectures at the same L0, and enough steps for λ to be steered there. Tried on SmolLM2-135M, block 15.
 */
export const ownTraining: DemoTraining = {
  batchSize: 2048,
  leastTokens: 1_500_000,
  expansion: 8,
  settings: { relu: { targetL0: 32 }, topk: { k: 32 }, jumprelu: { targetL0: 32 } },
};

export interface DemoPlan {
  /** The beginning of all names that the demo uses in the store. */
  name: string;
  model: string;
  /** Models whose neurons are measured; `model` first. */
  models: string[];
  text: string;
  /** Tokens to capture. */
  tokens: number;
  /** Tokens of the sparsity reports. */
  sparsityTokens: number;
  /** How dictionaries are trained besides what the capture says. */
  training: DemoTraining;
  /** Tokens that each dictionary is trained on; by default as many as suit the capture. */
  trainingTokens: number | undefined;
  seeds: number[];
}

const contextLength = 128;

export const runName = (plan: DemoPlan, architecture: ArchitectureName) => `${plan.name}-${architecture}`;
/** Models are given by name or folder; either way the last part names them. */
export const modelName = (model: string) => model.split(/[/\\]/).findLast((part) => part !== '') ?? model;
export const reportName = (plan: DemoPlan, model: string) => `${plan.name}-${modelName(model)}`;

export async function captureDemo(
  { store, report, signal }: Session,
  plan: DemoPlan,
  model: LanguageModel,
): Promise<CaptureManifest> {
  const { capture } = await import('../../sae/activations/capture.ts');
  const { readText } = await import('../../sae/tokens/readText.ts');
  const { blockHook } = await import('../../sae/models/hookPoints.ts');
  const path = store.captureManifest(plan.name);
  const before = existsSync(path) ? await readManifest(path, captureKind) : undefined;
  // The middle of the model: late enough for words to have met, early enough to be more than the next token.
  const hook = blockHook(Math.floor(model.config.layers / 2), 'hook_resid_post');
  const making = capture({
    store,
    name: plan.name,
    model,
    text: await readText(plan.text),
    hooks: [hook],
    contextLength: Math.min(contextLength, model.config.contextLength),
    maxTokens: plan.tokens,
    report,
    signal,
  });
  return making.catch((cause: unknown) => {
    // A finished capture that conflicts was made with other settings, and no process is writing it.
    if (before?.status !== 'complete' || !isLazyscopeError(cause) || cause.code !== 'conflict') throw cause;
    throw new LazyscopeError(
      'conflict',
      `An earlier demo in '${store.root}' looked into '${before.model.name}' on '${before.text.source}' with other settings: start over with --fresh, or choose another folder with --data.`,
      { cause },
    );
  });
}

export async function trainDemo(
  session: Session,
  plan: DemoPlan,
  capture: CaptureManifest,
): Promise<RunManifest[]> {
  const { defaultTrainingConfig } = await import('../../sae/training/defaults.ts');
  const { training } = plan;
  const [{ hook, width: d }] = capture.hooks;
  const trainRows =
    (capture.contexts - capture.heldOutContexts) * (capture.contextLength - capture.firstPosition);
  const shared = {
    capture: capture.name,
    hook,
    d,
    tokens: plan.trainingTokens ?? Math.max(training.leastTokens, epochs * trainRows),
    batchSize: training.batchSize,
    seeds: plan.seeds,
    width: training.expansion * d,
  };
  const runs = demoArchitectures.map((architecture) => ({
    name: runName(plan, architecture),
    config: defaultTrainingConfig(architecture, { ...shared, ...training.settings[architecture] }),
  }));
  const manifests: RunManifest[] = [];
  for (const run of runs) {
    const path = session.store.runManifest(run.name);
    const before = existsSync(path) ? await readManifest(path, runKind) : undefined;
    // What an earlier demo began is finished as it was begun, whatever the demo's settings have become since.
    const changes = before ? settingDifferences(before.config, run.config) : [];
    if (changes.length > 0)
      session.say(
        `'${run.name}' stays as an earlier demo trained it (${changes.join(', ')}): start over with --fresh, or choose another folder with --data.`,
      );
    if (before?.status === 'complete') manifests.push(before);
    else
      manifests.push(
        ...(await trainRuns(session, [{ ...run, config: before?.config ?? run.config }], { resume: true })),
      );
  }
  return manifests;
}

/** Tokens that are enough for dictionaries of this size and take minutes on two cores. */
const epochs = 4;

export async function measureDemo(session: Session, plan: DemoPlan): Promise<SparsityReport[]> {
  const { measureSparsity } = await import('../../sae/sparsity/measureSparsity.ts');
  const { readText } = await import('../../sae/tokens/readText.ts');
  const { store, report, signal } = session;
  const reports: SparsityReport[] = [];
  for (const name of plan.models) {
    const path = store.sparsityReport(reportName(plan, name));
    if (existsSync(path)) {
      reports.push(await readManifest(path, sparsityReportKind));
      continue;
    }
    const model = await loadModel(store, name);
    reports.push(
      await measureSparsity({
        store,
        name: reportName(plan, name),
        model,
        text: await readText(plan.text),
        maxTokens: Math.min(plan.tokens, plan.sparsityTokens),
        report,
        signal,
      }),
    );
    model.dispose();
  }
  return reports;
}
