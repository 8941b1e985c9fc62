/**
 * Trains one configuration, all its seeds in one pass over the data, into runs/<name>: run.json says how far it is,
 * metrics.arrow grows as it goes, checkpoints/ lets it go on to the same bits after an interruption, and
 * seed-<n>/sae.safetensors appear at the end, when the checkpoints are no longer needed.
 */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type ExclusionRule, parseExclusionRule, printExclusionRule } from '../activations/exclusionRule.ts';
import { type Capture, openCapture } from '../activations/openCapture.ts';
import type { DictionaryArrays } from '../autoencoders/dictionary.ts';
import { writeDictionary } from '../autoencoders/dictionaryFile.ts';
import { isLazyscopeError, LazyscopeError } from '../errors.ts';
import type { FusedKernels } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import type { StepCounts } from '../ops/stepRecorder.ts';
import { type Report, silent } from '../progress.ts';
import type { StoreLayout } from '../store/layout.ts';
import { withLock } from '../store/lock.ts';
import { latentsKept, settingOf, type TrainingConfig } from '../spec/architectures/architectures.ts';
import { logKinds, type LogKind } from '../spec/logKinds.ts';
import { runKind } from '../spec/manifests/run.ts';
import type { Environment, RunManifest } from '../spec/manifests/run.ts';
import { readManifest } from '../store/readManifest.ts';
import { writeManifest } from '../store/writeManifest.ts';
import { removeStored } from '../store/remote/bringIn.ts';
import type { BatchSource } from './batchSource.ts';
import { captureBatches, rowOrderOf } from './captureBatches.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { checkConfig } from './checkConfig.ts';
import { batchesFromModel, checkSameSource, type OpenModelSource } from './fromModel.ts';
import { statisticsRows } from './inputStatistics.ts';
import { MetricsWriter, readMetrics } from './metrics.ts';
import { MetricsLog } from './metricsLogs.ts';
import { hooksOf } from '../spec/hooksOf.ts';
import { isJoint } from '../spec/jointHook.ts';
import type { Layer } from '../spec/layers.ts';
import { learningRateAt, sparsityCoefficientAt, totalSteps } from './schedules.ts';
import type { JoinedProcesses } from './sharding/joinProcesses.ts';
import { LeadingTrainer } from './sharding/leadTraining.ts';
import { initialState } from './initialState.ts';
import { type StepMetrics, Trainer, type TrainerState } from './trainer.ts';

/** A configuration to train, and where. */
export interface TrainOptions {
  store: StoreLayout;
  name: string;
  config: TrainingConfig;
  /** Go on with an interrupted run of this name and configuration. */
  resume?: boolean;
  /** Rows that are not trained on; by default what the capture says. A resumed run goes on without those it began without. */
  exclude?: ExclusionRule;
  /** Rows come from here; the configuration's capture then has the held-out rows alone. */
  fromModel?: OpenModelSource | undefined;
  /** Bytes of memory that rows read from the capture may take; 2 GiB when absent. */
  memoryBudget?: number;
  /** Parameters to begin with in place of random ones, by place of the seed, in units of the activations times the trainer's scale; and where they are from. */
  start?:
    | {
        pedigree: NonNullable<RunManifest['consensus']>;
        /** The parameters, given the random ones that the seeds drew. */
        begin(drawn: readonly DictionaryArrays[], scale: number): DictionaryArrays[];
      }
    | undefined;
  /** Logs of other tools that are written as the run goes on. A resumed run goes on with those it has. */
  logs?: readonly LogKind[];
  /** Processes that the latents are spread over; this one is the first of them, and the others follow (`followTraining`). */
  processes?: JoinedProcesses | undefined;
  report?: Report;
  signal?: AbortSignal;
  /** Where to train; the kernels of the active backend when left out. */
  kernels?: FusedKernels | undefined;
  /** Told, when the run has ended, how its steps were made, where the backend can launch a step as a whole. */
  made?: (counts: StepCounts) => void;
  environment: Environment;
}

/**
 * Throws `bad_input` (configuration, divergence), `not_found` (capture, hook, run to resume), `conflict` (the name
 * is taken, or another trainer is at it), `cancelled` (after a checkpoint), `no_space`, `corrupt`.
 */
export async function train(options: TrainOptions): Promise<RunManifest> {
  const { store, name, resume = false } = options;
  const config = checkConfig(options.config);
  const capture = await openCapture(store, config.capture, {
    hooks: hooksOf(config),
    // Processes that share a training wait for one another, not for their own fetching.
    fetch: options.processes || options.fromModel ? 'all' : 'shuffled',
    // Kernels widen the rows that they are given.
    asStored: (options.kernels ?? fusedKernels()).hostBatch !== undefined,
    ...(options.memoryBudget !== undefined && { memoryBudget: options.memoryBudget }),
  });
  let source: BatchSource | undefined;
  try {
    const path = store.runManifest(name);
    const before = resume && existsSync(path) ? await readManifest(path, runKind) : null;
    const rule = before
      ? ruleOf(before, options.exclude)
      : (options.exclude ?? parseExclusionRule(capture.manifest.exclude ?? 'none'));
    // It needs neither model nor text any more.
    if (before?.status === 'complete' && before.fromModel && isDeepStrictEqual(before.config, config))
      return before;
    if (before) checkSameSource(name, before.fromModel, options.fromModel?.facts);
    const batches = await batchesOf(options, config, capture, { rule, layers: before?.layers });
    source = batches.source;
    const { excluded, layers } = batches;
    const exclusion = { rule: printExclusionRule(rule), rows: excluded };
    if (resume && !before)
      throw new LazyscopeError('not_found', `There is no run '${name}' to resume: start it without resume.`);
    return await withLock(store.run(name), `training run ${name}`, () =>
      trainLocked({ ...options, config }, batches.source, {
        model: capture.manifest.model.name,
        exclusion,
        layers,
      }),
    );
  } finally {
    await source?.close?.();
    capture.close();
  }
}

/**
 * Shuffled rows of the capture, or straight from the model, and how many rows of the capture are left out. Of crosscoders also the layers, which are
 * those that the run began with where it did.
 */
async function batchesOf(
  { fromModel, report, signal }: TrainOptions,
  config: TrainingConfig,
  capture: Capture,
  { rule, layers: begun }: { rule: ExclusionRule; layers: Layer[] | undefined },
): Promise<{ source: BatchSource; excluded: number; layers?: Layer[] }> {
  const { hook, outputHook, batchSize } = config;
  if (fromModel && outputHook !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `Straight from a model only autoencoders are trained: capture '${hook}' and '${outputHook}' for a transcoder.`,
    );
  if (fromModel && isJoint(hook))
    throw new LazyscopeError(
      'bad_input',
      `Crosscoders are not trained straight from a model: capture ${hooksOf(config).join(' and ')} first.`,
    );
  if (fromModel) {
    // A batch may be sent ahead of the last step.
    const rowsWanted = Math.max((totalSteps(config) + 1) * batchSize, statisticsRows(batchSize));
    const options = {
      capture,
      hook,
      source: fromModel,
      rule,
      batchSize,
      seed: rowOrderOf(config),
      rowsWanted,
      report,
      signal,
    };
    return { source: await batchesFromModel(options), excluded: 0 };
  }
  return captureBatches(capture, config, rule, begun);
}

/** The rule a run began with. Throws `bad_input` when another one is asked for. */
function ruleOf(before: RunManifest, asked: ExclusionRule | undefined): ExclusionRule {
  const began = before.exclusion?.rule ?? 'none';
  if (asked && printExclusionRule(asked) !== began)
    throw new LazyscopeError(
      'bad_input',
      `Run '${before.name}' was started without the rows of '${began}', not of '${printExclusionRule(asked)}': resume it with its own.`,
    );
  return parseExclusionRule(began);
}

interface Trained {
  /** Name of the language model. */
  model: string;
  exclusion: NonNullable<RunManifest['exclusion']>;
  /** Of crosscoders. */
  layers: Layer[] | undefined;
}

async function trainLocked(
  options: TrainOptions,
  source: BatchSource,
  { model, exclusion, layers }: Trained,
): Promise<RunManifest> {
  const { store, name, config, resume = false, report = silent, signal, environment } = options;
  const path = store.runManifest(name);
  const before = existsSync(path) ? await readManifest(path, runKind) : null;
  if (before && !resume)
    throw new LazyscopeError(
      'conflict',
      before.status === 'complete'
        ? `Run '${name}' exists: choose another name.`
        : `Run '${name}' was interrupted at step ${before.step} of ${before.totalSteps}: resume it or choose another name.`,
    );
  if (before && !isDeepStrictEqual(before.config, config))
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' was started with another configuration (${differences(before.config, config).join(', ')} differ): resume it with its own.`,
    );
  if (before?.status === 'complete') return before;

  const checkpoint = before && (await readCheckpoint(store.runCheckpoints(name), config.architecture));
  if (checkpoint) source.restore(checkpoint.source);
  const stopped = (step: number) =>
    new LazyscopeError(
      'cancelled',
      `Training of run '${name}' was stopped at step ${step} of ${totalSteps(config)}: ${before || step > 0 ? 'resume it to go on' : 'start it again'}.`,
    );
  if (!checkpoint) await source.ready?.(statisticsRows(config.batchSize));
  if (!checkpoint && source.ready && signal?.aborted) throw stopped(0);
  if (before?.consensus && !checkpoint)
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' has no checkpoint, and what its training began with is lost: delete its folder and run 'lazyscope consensus' again.`,
    );
  const state = checkpoint?.trainer ?? begun(initialState(config, source), options.start);
  const steps = totalSteps(config);
  const { processes } = options;
  const trainer = processes
    ? new LeadingTrainer(config, source, state, { ...processes, exclusion: exclusion.rule })
    : new Trainer(config, source, state, options.kernels);
  let manifest: RunManifest = before ?? {
    version: 1,
    name,
    createdAt: new Date().toISOString(),
    finishedAt: null,
    status: 'training',
    config,
    d: source.d,
    ...(layers && { layers }),
    scale: trainer.scale,
    environment,
    step: 0,
    totalSteps: steps,
    seconds: 0,
    tokensPerSecond: 0,
    ...(exclusion.rule !== 'none' && { exclusion }),
    ...(options.fromModel && { fromModel: options.fromModel.facts }),
    ...(options.start && { consensus: options.start.pedigree }),
  };
  const secondsBefore = checkpoint?.seconds ?? 0;
  const began = performance.now();
  const seconds = () => secondsBefore + (performance.now() - began) / 1000;
  const save = async (changes: Partial<RunManifest> = {}) => {
    const tokens = trainer.step * config.batchSize * config.seeds.length;
    const soFar = seconds();
    const progress = { step: trainer.step, seconds: soFar, tokensPerSecond: soFar > 0 ? tokens / soFar : 0 };
    const leftOut = manifest.exclusion && source.excluded !== undefined;
    manifest = {
      ...manifest,
      environment,
      ...progress,
      ...(leftOut && { exclusion: { ...exclusion, rows: source.excluded } }),
      ...changes,
    };
    await writeManifest(path, runKind, manifest, before);
  };

  let metrics: MetricsWriter | undefined;
  const logs: MetricsLog[] = [];
  /** Whether there is anything to resume from. */
  let kept = before !== null;
  try {
    const writer = await MetricsWriter.open(store.runMetrics(name), checkpoint?.metricsBytes ?? 0);
    metrics = writer;
    const keep = async () => {
      await writer.sync();
      await writeCheckpoint(store.runCheckpoints(name), {
        trainer: trainer.state(),
        source: trainer.position,
        metricsBytes: writer.bytes,
        seconds: seconds(),
      });
      kept = true;
    };
    // What it begins with is nowhere else: written before the manifest, it is there whenever there is a run to resume.
    if (options.start && !before) await keep();
    await save({ status: 'training' });
    for (const kind of logKinds) {
      const folder = store.runLog(name, kind);
      if (!options.logs?.includes(kind) && !(before && existsSync(folder))) continue;
      const rows = checkpoint ? await readMetrics(store.runMetrics(name)) : [];
      logs.push(
        await MetricsLog.open(folder, kind, { createdAt: manifest.createdAt, seeds: config.seeds }, rows),
      );
    }
    const log = progressLog(config, report, async (rows) => {
      await writer.append(rows);
      for (const each of logs) await each.append(rows);
    });
    const kernels = options.kernels ?? fusedKernels();
    const devices = (kernels.devices ?? [kernels]).slice(0, config.seeds.length);
    await source.toDevices?.(devices, (steps - trainer.step) * config.batchSize, signal);
    let yielded = performance.now();
    const lastL0: number[][] = [];
    let checkpointed = trainer.step;
    while (trainer.step < steps) {
      // A batch for this step, and one to send ahead while a device computes.
      if (!signal?.aborted) await source.ready?.(Math.min(2, steps - trainer.step) * config.batchSize);
      if (signal?.aborted) {
        if (!kept || checkpointed !== trainer.step) await keep();
        await save({ status: 'interrupted' });
        throw stopped(trainer.step);
      }
      const logged = (trainer.step + 1) % config.logEvery === 0 || trainer.step + 1 === steps;
      const results = await trainer.advance(logged);
      if (logged) await log(trainer.step, results);
      if (steps - trainer.step < averagedSteps) lastL0.push(results.map(({ l0 }) => l0));
      if (trainer.step % config.checkpointEvery === 0 && trainer.step < steps) {
        await keep();
        await save();
        checkpointed = trainer.step;
      }
      if (performance.now() - yielded > 30) {
        await nextTurn();
        yielded = performance.now();
      }
    }
    await writer.sync();
    if (trainer.stepCounts) options.made?.(trainer.stepCounts);
    for (const [index, seed] of config.seeds.entries())
      await writeDictionary(store.dictionary(name, seed), trainer.dictionary(index), {
        architecture: config.architecture,
        hook: config.hook,
        ...(config.outputHook !== undefined && { outputHook: config.outputHook }),
        model,
        run: name,
        seed,
        scale: trainer.scale,
        k: latentsKept(config),
        ...('prefixes' in config && { prefixes: config.prefixes }),
        ...(layers && { layers }),
      });
    await save({ status: 'complete', finishedAt: new Date().toISOString(), ...reached(config, lastL0) });
    await removeStored(store.runCheckpoints(name));
    return manifest;
  } catch (error) {
    if (!kept && isLazyscopeError(error) && error.code === 'no_space')
      await forget(store, name, config.seeds);
    // The run stays resumable from its last checkpoint; when even this can't be written the first error counts.
    else if (existsSync(path) && manifest.status === 'training')
      await save({ status: 'interrupted' }).catch(() => {});
    throw error;
  } finally {
    await metrics?.close();
    for (const log of logs) await log.close();
    trainer.dispose();
  }
}

function begun(drawn: TrainerState, start: TrainOptions['start']): TrainerState {
  if (!start) return drawn;
  const parameters = start.begin(
    drawn.dictionaries.map((dictionary) => dictionary.parameters),
    drawn.scale,
  );
  return {
    ...drawn,
    dictionaries: drawn.dictionaries.map((dictionary, at) => ({ ...dictionary, parameters: parameters[at] })),
  };
}

/** A run that the full disk stopped before its first checkpoint leaves nothing: there is nothing to go on from. */
async function forget(store: StoreLayout, name: string, seeds: readonly number[]): Promise<void> {
  const written = [
    store.runManifest(name),
    store.runMetrics(name),
    store.runCheckpoints(name),
    ...logKinds.map((kind) => store.runLog(name, kind)),
    ...seeds.map((seed) => store.runSeed(name, seed)),
  ];
  for (const path of written) await removeStored(path);
}

/** Steps whose mean L0 says whether a target was reached. */
const averagedSteps = 20;

/** What became of a target of L0; nothing where the configuration has none. */
function reached(
  config: TrainingConfig,
  lastL0: readonly (readonly number[])[],
): Pick<RunManifest, 'reachedL0'> {
  const target = settingOf(config, 'targetL0');
  if (target === null || lastL0.length === 0) return {};
  const l0 = config.seeds.map((_, seed) => lastL0.reduce((sum, step) => sum + step[seed], 0) / lastL0.length);
  return { reachedL0: { target, l0 } };
}

/** Turns a step's results into rows of metrics and a progress report. */
function progressLog(
  config: TrainingConfig,
  report: Report,
  append: (rows: Parameters<MetricsWriter['append']>[0]) => Promise<void>,
) {
  let last = { time: performance.now(), step: NaN };
  return async (step: number, results: readonly StepMetrics[]) => {
    const now = performance.now();
    const since = Number.isNaN(last.step) ? Math.min(config.logEvery, step) : step - last.step;
    const tokensPerSecond =
      (since * config.batchSize * results.length * 1000) / Math.max(now - last.time, 1e-3);
    last = { time: now, step };
    const shared = {
      step,
      tokens: step * config.batchSize,
      learningRate: learningRateAt(config, step - 1),
      sparsityCoefficient: sparsityCoefficientAt(config, step - 1),
      tokensPerSecond,
    };
    await append(results.map((result) => ({ ...shared, ...result })));
    const mean = (value: (result: StepMetrics) => number) =>
      results.reduce((sum, result) => sum + value(result), 0) / results.length;
    report({
      stage: `train ${config.architecture}`,
      done: step,
      total: totalSteps(config),
      unit: 'steps',
      values: {
        loss: mean((r) => r.loss),
        l0: mean((r) => r.l0),
        fvu: mean((r) => r.fvu),
        dead: mean((r) => r.deadFraction),
        tokensPerSecond,
      },
    });
  };
}

function differences(a: TrainingConfig, b: TrainingConfig): string[] {
  const [left, right] = [
    new Map<string, unknown>(Object.entries(a)),
    new Map<string, unknown>(Object.entries(b)),
  ];
  return [...new Set([...left.keys(), ...right.keys()])].filter(
    (key) => !isDeepStrictEqual(left.get(key), right.get(key)),
  );
}
