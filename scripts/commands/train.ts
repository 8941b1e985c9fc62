/** `lazyscope train`: sparse autoencoders, all seeds of a configuration in one pass over a capture, or over a text that a model reads. */
import { existsSync } from 'node:fs';
import { LazyscopeError } from '../../sae/errors.ts';
import type { TrainingConfig } from '../../sae/spec/architectures/architectures.ts';
import { architectureOptions } from '../../sae/spec/jobs/architectureOptions.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { logKinds, type LogKind } from '../../sae/spec/logKinds.ts';
import type { JoinedProcesses } from '../../sae/training/sharding/joinProcesses.ts';
import type { FusedKernels } from '../../sae/ops/fusedKernels.ts';
import type { StepCounts } from '../../sae/ops/stepRecorder.ts';
import type { OpenModelSource } from '../../sae/training/fromModel.ts';
import { startFields } from '../../sae/spec/startFields.ts';
import { trainingFields, type TrainingSettings } from '../../sae/spec/trainingFields.ts';
import { analyse, partOf, partsOf } from '../commandLine/analyse.ts';
import { describeEnvironment } from '../commandLine/environment.ts';
import { isElsewhere } from '../commandLine/jobsElsewhere.ts';
import { refuseLoneFlags } from '../commandLine/runOnQueue.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { figure, table } from '../commandLine/table.ts';
import { slug } from './capture.ts';

type Options = CommandOptionsOf<'train'>;

/** Whether an option is a setting of the configuration. */
const isSetting = (name: string) =>
  name in trainingFields ||
  name in startFields ||
  name in architectureOptions ||
  name === 'outputHook' ||
  name === 'skip';

declare global {
  interface JobCommands {
    train: typeof run;
  }
}

export const run: JobWork<'train'> = async (session, given) => {
  refuseLoneFlags(given);
  if (isElsewhere(given)) return elsewhere(session, given);
  const { sweep } = given;
  const processes = given.mpi ? await join(session) : undefined;
  if (processes === 'followed') return { document: undefined, text: '' };
  const runs = sweep === undefined ? [await oneRun(session, given)] : await sweepRuns(session, sweep, given);
  const parts = partsOf(runs.map(({ config }) => config));
  const training = given.analyse ? partOf(session, 1, parts) : session;
  const logs = logKinds.filter((kind) => given[kind]);
  const manifests = await trainRuns(training, runs, { ...given, logs, processes });
  const trained = { document: { runs: manifests.map(summary) }, text: trainedTable(manifests) };
  if (!given.analyse) return trained;
  const { documents, texts, failure } = await analyse(session, manifests);
  return {
    document: { ...trained.document, ...documents },
    text: [trained.text, ...texts].join('\n\n'),
    failure,
  };
};

/** What `run` gives, made by workers or a cluster. */
async function elsewhere(session: Session, given: Options): Promise<Outcome> {
  const { plannedRuns } = await import('../commandLine/plannedRuns.ts');
  const { runOnQueue } = await import('../commandLine/runOnQueue.ts');
  const { runKind } = await import('../../sae/spec/manifests/run.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const { store } = session;
  const runs = await plannedRuns(session, given);
  const jobs = await runOnQueue(session, runs, given);
  const made = runs.filter(
    ({ name }, at) => jobs[at].status === 'done' && existsSync(store.runManifest(name)),
  );
  const manifests = await Promise.all(made.map(({ name }) => readManifest(store.runManifest(name), runKind)));
  for (const missed of manifests.map(missedTarget)) if (missed !== null) session.say(missed);
  const failed = runs.filter((_, at) => jobs[at].status !== 'done');
  const [first] = failed;
  return {
    document: {
      runs: manifests.map(summary),
      jobs: jobs.map(({ id, status, worker, attempt, error }, at) => ({ id, run: runs[at].name, status, worker, attempt, error })), // prettier-ignore
    },
    text: trainedTable(manifests),
    ...(first && {
      failure: new LazyscopeError(
        'bad_input',
        `${failed.length} of ${runs.length} runs are not done, '${first.name}' because: ${jobs[runs.indexOf(first)].error ?? 'it was cancelled'}`,
      ),
    }),
  };
}

/** The processes to spread latents over; 'followed' once a process other than the first has done its part. */
async function join(session: Session): Promise<JoinedProcesses | 'followed'> {
  const { joinProcesses } = await import('../../sae/training/sharding/joinProcesses.ts');
  const processes = joinProcesses();
  if (processes.communicator.rank === 0) return processes;
  const { followTraining } = await import('../../sae/training/sharding/followTraining.ts');
  await session.startBackend();
  await followTraining(session.store, processes.communicator);
  return 'followed';
}

export interface RunToTrain {
  name: string;
  config: TrainingConfig;
  /** Where rows come from, if not from the capture. */
  fromModel?: OpenModelSource | undefined;
}

/** Trains the configurations one after another. With `resume`, a run that doesn't exist yet is started. */
export async function trainRuns(
  session: Session,
  runs: readonly RunToTrain[],
  {
    resume = false,
    exclude,
    logs = [],
    processes,
  }: {
    resume?: boolean | undefined;
    exclude?: string | undefined;
    logs?: readonly LogKind[];
    processes?: JoinedProcesses | undefined;
  } = {},
): Promise<RunManifest[]> {
  const { train } = await import('../../sae/training/train.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const backend = await session.startBackend();
  const { store, report, signal } = session;
  const { fusedKernels } = await import('../../sae/ops/kernelTable.ts');
  // The seeds of one run are spread over devices by its trainer; of several runs each has a device to itself.
  const devices = runs.length > 1 ? fusedKernels().devices : undefined;
  const manifests: RunManifest[] = [];
  const waiting = runs.entries();
  let failed = false;
  const makeRuns = async (kernels?: FusedKernels) => {
    for (const [at, { name, config, fromModel }] of waiting) {
      if (failed) return;
      manifests[at] = await train({
        store,
        name,
        config,
        fromModel,
        resume: resume && existsSync(store.runManifest(name)),
        logs,
        processes,
        ...(exclude !== undefined && { exclude: parseExclusionRule(exclude) }),
        kernels,
        report: kernels ? (progress) => report({ ...progress, stage: `${progress.stage} ${name}` }) : report,
        signal,
        made: (counts) => sayHow(session, name, counts),
        environment: describeEnvironment(backend),
      });
      const missed = missedTarget(manifests[at]);
      if (missed !== null) session.say(missed);
    }
  };
  const making = (devices ?? [undefined]).map((kernels) =>
    makeRuns(kernels).catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  await Promise.allSettled(making);
  await Promise.all(making);
  return manifests;
}

/** A device may take most of its time to be told what to do; why is said where it is so. */
function sayHow(session: Session, name: string, { replayed, launched, why }: StepCounts): void {
  if (why !== null && launched > replayed)
    session.say(
      `Of the steps of run '${name}', ${launched} were launched kernel by kernel, and ${replayed} as a whole. ${why}`,
    );
}

/** What to say of a run whose L0 ended further than 15 % from its target; null where it did not. */
export function missedTarget({ name, reachedL0, config }: RunManifest): string | null {
  if (!reachedL0) return null;
  const { target, l0 } = reachedL0;
  if (l0.every((value) => Math.abs(value / target - 1) <= 0.15)) return null;
  const ended = l0.map((value) => figure(value, 1)).join(', ');
  return `Run '${name}' was to have an L0 of ${target} and ended at ${ended} (seeds ${config.seeds.join(', ')}): train on more tokens, or choose another --sparsity-coefficient to start from.`;
}

async function oneRun(session: Session, given: Options): Promise<RunToTrain> {
  const { architecture, capture: captureName } = given;
  if (given.resume && given.name !== undefined && given.fromModel === undefined) {
    // What the flags leave out is as it was begun, not as a new run would have it.
    const begun = existsSync(session.store.runManifest(given.name));
    if (begun || (architecture === undefined && captureName === undefined))
      return interruptedRun(session, given.name, given);
  }
  refuseModelOptions(given);
  if (given.fromModel !== undefined) return runFromModel(session, given);
  if (architecture === undefined || captureName === undefined)
    throw new LazyscopeError(
      'bad_input',
      `Nothing to train: give --${architecture === undefined ? 'architecture' : 'capture'}, or the path of a sweep file.`,
    );
  const { openCapture } = await import('../../sae/activations/openCapture.ts');
  const { widthOf } = await import('../../sae/activations/jointRows.ts');
  const { defaultTrainingConfig } = await import('../../sae/training/defaults.ts');
  const capture = await openCapture(session.store, captureName, { hooks: [] });
  try {
    const hooks = capture.manifest.hooks.map(({ hook }) => hook);
    const hook = given.hook ?? (hooks.length === 1 ? hooks[0] : undefined);
    if (hook === undefined)
      throw new LazyscopeError(
        'bad_input',
        `Capture '${captureName}' has several hook points: choose one with --hook (${hooks.join(', ')}), or several with commas between them for crosscoders.`,
      );
    const config = defaultTrainingConfig(architecture, {
      capture: captureName,
      hook,
      d: widthOf(capture, hook),
      tokens: given.tokens ?? 4 * capture.trainRows,
      ...chosenSettings(given),
    });
    return { name: given.name ?? `${captureName}-${architecture}`, config };
  } finally {
    capture.close();
  }
}

async function runFromModel(session: Session, given: Options): Promise<RunToTrain> {
  const { architecture, hook, outputHook, tokens, fromModel, text } = given;
  if (outputHook !== undefined)
    throw new LazyscopeError(
      'bad_input',
      'Transcoders (--output-hook) are trained on a capture of both hook points: capture them, and leave --from-model out.',
    );
  if (hook?.includes(','))
    throw new LazyscopeError(
      'bad_input',
      `Crosscoders are trained on a capture of all their hook points: capture ${hook}, and leave --from-model out.`,
    );
  if (
    architecture === undefined ||
    hook === undefined ||
    tokens === undefined ||
    text === undefined ||
    fromModel === undefined
  )
    throw new LazyscopeError(
      'bad_input',
      `Nothing to train: --from-model needs ${needed
        .filter((name) => given[name] === undefined)
        .map((name) => `--${name}`)
        .join(' and ')} too.`,
    );
  const { openSource } = await import('../commandLine/trainFromModel.ts');
  const { defaultTrainingConfig } = await import('../../sae/training/defaults.ts');
  const { source, capture, hook: point } = await openSource(session, { ...given, fromModel, text, hook });
  const config = defaultTrainingConfig(architecture, {
    d: source.model.width(point),
    ...chosenSettings(given),
    capture,
    hook: point,
    tokens,
  });
  return {
    name: given.name ?? `${slug(`${source.model.name}-${point}`)}-${architecture}`,
    config,
    fromModel: source,
  };
}

const needed = ['architecture', 'text', 'hook', 'tokens'] as const;
const ofModels = [
  'text',
  'textField',
  'bufferTokens',
  'heldOutTokens',
  'contextLength',
  'firstPosition',
  'bos',
  'dtype',
  'products',
] as const;

/** Without --from-model they would change nothing. */
function refuseModelOptions(given: Options): void {
  const idle = ofModels.find((name) => given[name] !== undefined);
  if (given.fromModel === undefined && idle !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `--${idle.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} goes with --from-model: add that, or leave it out.`,
    );
}

/** A run goes on as it was begun: its name is enough. Flags that say otherwise are refused by `train`. */
async function interruptedRun(session: Session, name: string, given: Options): Promise<RunToTrain> {
  const { store } = session;
  const { runKind } = await import('../../sae/spec/manifests/run.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  if (!existsSync(store.runManifest(name)))
    throw new LazyscopeError(
      'not_found',
      `There is no run '${name}' in '${store.root}' to resume: give --architecture and --capture to start it.`,
    );
  const manifest = await readManifest(store.runManifest(name), runKind);
  if (given.architecture !== undefined && given.architecture !== manifest.config.architecture)
    throw new LazyscopeError(
      'conflict',
      `Run '${name}' trains ${manifest.config.architecture}, not ${given.architecture}: leave --architecture out, or train under another name.`,
    );
  const config = { ...manifest.config, ...chosenSettings(given) };
  // A finished run is left as it is, and needs neither model nor text.
  if (manifest.fromModel === undefined || manifest.status === 'complete') return { name, config };
  const { reopenSource } = await import('../commandLine/trainFromModel.ts');
  return { name, config, fromModel: await reopenSource(session, manifest, manifest.fromModel) };
}

/** The flags that are settings; the configuration made of them is checked as a whole later. */
const chosenSettings = (given: Options) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => isSetting(name))) as Partial<TrainingSettings>;

/** The runs of a sweep file, for which `given` must not say anything else. */
export async function sweepRuns(
  session: Session,
  path: string,
  given: Partial<Options>,
): Promise<RunToTrain[]> {
  const flag = Object.keys(given).find(
    (name) =>
      isSetting(name) ||
      name === 'architecture' ||
      name === 'name' ||
      name === 'fromModel' ||
      ofModels.some((option) => option === name),
  );
  if (flag !== undefined)
    throw new LazyscopeError(
      'bad_input',
      `'${path}' says what to train: put ${flag} there instead of on the command line.`,
    );
  const { configureSweep } = await import('../../sae/training/sweep.ts');
  const { readSweep } = await import('../commandLine/plannedRuns.ts');
  return configureSweep(session.store, await readSweep(path));
}

function summary(manifest: RunManifest) {
  const { name, config, step, totalSteps, seconds, tokensPerSecond, environment, status } = manifest;
  return {
    name,
    architecture: config.architecture,
    hook: config.hook,
    width: config.width,
    seeds: config.seeds,
    tokens: config.tokens,
    status,
    step,
    totalSteps,
    seconds,
    tokensPerSecond,
    backend: environment.backend,
  };
}

function trainedTable(manifests: readonly RunManifest[]): string {
  return table(
    ['run', 'architecture', 'latents', 'seeds', 'tokens', 'seconds', 'tokens/s'],
    manifests.map(({ name, config, seconds, tokensPerSecond }) => [
      name,
      config.architecture,
      config.width,
      config.seeds.join(','),
      config.tokens,
      seconds.toFixed(1),
      Math.round(tokensPerSecond),
    ]),
  );
}
