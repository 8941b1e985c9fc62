/**
 * The cross-seed study: every run of cross-seed.yaml trained, evaluated and compared seed with seed, then tables and plots. What
 * is done already is not done again, so that it can be stopped and started at will, and run in pieces of --minutes.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { SharedNulls } from '../../sae/comparison/chance/comparisonChance.ts';
import { compare } from '../../sae/comparison/compare.ts';
import { evaluate } from '../../sae/evaluation/evaluate.ts';
import { capture } from '../../sae/activations/capture.ts';
import { readText } from '../../sae/tokens/readText.ts';
import { parseHookPoint } from '../../sae/models/hookPoints.ts';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { evaluationKind } from '../../sae/spec/manifests/evaluation.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { configureSweep } from '../../sae/training/sweep.ts';
import { loadModel } from '../commandLine/models.ts';
import { positiveNumber, withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';
import { seedPairs } from '../commands/compare.ts';
import { trainRuns, type RunToTrain } from '../commands/train.ts';
import { studyPlots, studyTables, type StudyRun } from './crossSeedReport.ts';

const folder = dirname(fileURLToPath(import.meta.url));
const evaluatedTokens = 16_384;
/** Tokens for cross-entropies, few because the tables don't show them. */
const lossTokens = 1_024;
const comparedTokens = 8_192;
/** Chance is a matter of the activations and of the dictionaries' shape, which many comparisons have in common. */
const nulls = new SharedNulls();

const studySchema = z.strictObject({
  capture: z.strictObject({
    name: z.string(),
    model: z.string(),
    text: z.string(),
    hook: z.string(),
    tokens: z.int().positive(),
  }),
  seeds: z.array(z.int().nonnegative()).min(2),
  settings: z.record(z.string(), z.number()),
  sweeps: z.array(z.looseObject({ name: z.string() })).min(1),
});
type Study = z.infer<typeof studySchema>;

const command = withCommonOptions(
  new Command('cross-seed')
    .option('--report', 'write tables and plots of what is there, and do nothing else')
    .option('--minutes <n>', 'begin nothing new after this long', positiveNumber),
).action((given: { report?: boolean; minutes?: number }) =>
  runCommand(command, async (session) => {
    const study = studySchema.parse(parse(await readFile(join(folder, 'cross-seed.yaml'), 'utf8')));
    const until = performance.now() + (given.minutes ?? Infinity) * 60_000;
    const mayBegin = () => {
      session.signal.throwIfAborted();
      return !given.report && performance.now() < until;
    };
    await session.startBackend();
    if (!given.report) await captureStudy(session, study);
    const runs = await runsOf(session, study);
    // Runs that are trained are evaluated first, so that a call that ends early still has results.
    await look(session, study, runs, mayBegin);
    for (const run of runs) {
      if (!mayBegin()) break;
      if (await isTrained(session.store.runManifest(run.name))) continue;
      await trainRuns(session, [run], { resume: true });
      await look(session, study, [run], mayBegin);
    }
    const results = await resultsOf(session, runs);
    await writeFile(join(folder, 'cross-seed.results.md'), studyTables(results));
    for (const [name, svg] of studyPlots(results))
      await writeFile(join(folder, `cross-seed-${name}.svg`), svg);
    return {
      document: { runs: results },
      text: `${results.length} of ${runs.length} runs are trained, evaluated and compared; see ${join(folder, 'cross-seed.results.md')}`,
    };
  }),
);
await command.parseAsync();

async function captureStudy({ store, report, signal }: Session, study: Study): Promise<void> {
  const { name, model: modelName, text, hook, tokens } = study.capture;
  if (existsSync(store.captureManifest(name))) return;
  const model = await loadModel(store, modelName);
  await capture({
    store,
    name,
    model,
    text: await readText(text),
    hooks: [parseHookPoint(hook).name],
    contextLength: 128,
    maxTokens: tokens,
    report,
    signal,
  });
  model.dispose();
}

async function runsOf({ store }: Session, study: Study): Promise<RunToTrain[]> {
  const { capture: captured, seeds, settings, sweeps } = study;
  const runs: RunToTrain[] = [];
  for (const sweep of sweeps)
    runs.push(
      ...(await configureSweep(
        store,
        stringify({ ...sweep, capture: captured.name, hooks: [captured.hook], seeds, settings }),
      )),
    );
  return runs;
}

/** Evaluates and compares the runs that are trained. */
async function look(
  { store, report }: Session,
  study: Study,
  runs: readonly RunToTrain[],
  mayBegin: () => boolean,
): Promise<void> {
  const model = await loadModel(store, study.capture.model);
  for (const { name, config } of runs) {
    if (!(await isTrained(store.runManifest(name)))) continue;
    for (const seed of config.seeds)
      if (!existsSync(store.evaluation(name, seed)) && mayBegin())
        await evaluate({ store, run: name, seed, model, maxTokens: evaluatedTokens, lossTokens, report });
    for (const pair of seedPairs(name, config.seeds))
      if (!existsSync(store.comparisonManifest(pair.name)) && mayBegin())
        await compare({ store, ...pair, maxTokens: comparedTokens, nulls, report });
  }
  model.dispose();
}

async function isTrained(path: string): Promise<boolean> {
  return existsSync(path) && (await readManifest(path, runKind)).status === 'complete';
}

/** The runs that are trained, evaluated and compared. */
async function resultsOf({ store }: Session, runs: readonly RunToTrain[]): Promise<StudyRun[]> {
  const results: StudyRun[] = [];
  for (const { name, config } of runs) {
    const pairs = seedPairs(name, config.seeds);
    const whole =
      (await isTrained(store.runManifest(name))) &&
      config.seeds.every((seed) => existsSync(store.evaluation(name, seed))) &&
      pairs.every((pair) => existsSync(store.comparisonManifest(pair.name)));
    if (!whole) continue;
    results.push({
      name,
      config,
      evaluations: await Promise.all(
        config.seeds.map((seed) => readManifest(store.evaluation(name, seed), evaluationKind)),
      ),
      comparisons: await Promise.all(
        pairs.map((pair) => readManifest(store.comparisonManifest(pair.name), comparisonKind)),
      ),
    });
  }
  return results;
}
