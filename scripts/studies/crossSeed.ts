/**
 * The cross-seed study: every run of cross-seed.yaml trained, evaluated and compared seed with seed, then tables and plots. What
 * is done already is not done again, so that it can be stopped and started at will, and run in pieces of --minutes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { SharedNulls } from '../../sae/comparison/chance/comparisonChance.ts';
import { positiveNumber, withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Session } from '../commandLine/runCommand.ts';
import { trainRuns, type RunToTrain } from '../commands/train.ts';
import { studyPlots, studyTables } from './crossSeedReport.ts';
import {
  captureOnce,
  configureStudySweep,
  evaluateAndCompare,
  isTrained,
  modelOnDemand,
  storedRun,
  type StudyRun,
} from './studyRuns.ts';

const folder = dirname(fileURLToPath(import.meta.url));
/** Few for cross-entropies, because the tables don't show them. */
const tokens = { evaluated: 16_384, losses: 1_024, compared: 8_192 };

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
    const model = modelOnDemand(session.store, study.capture.model);
    if (!given.report) await captureOnce(session, { ...study.capture, hooks: [study.capture.hook] }, model);
    const runs = await runsOf(session, study);
    const looking = { model, mayBegin, tokens, nulls: new SharedNulls() };
    // Runs that are trained are evaluated first, so that a call that ends early still has results.
    for (const run of runs)
      if (await isTrained(session.store, run.name)) await evaluateAndCompare(session, run, looking);
    for (const run of runs) {
      if (!mayBegin()) break;
      if (await isTrained(session.store, run.name)) continue;
      await trainRuns(session, [run], { resume: true });
      await evaluateAndCompare(session, run, looking);
    }
    await model.dispose();
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

async function runsOf({ store }: Session, study: Study): Promise<RunToTrain[]> {
  const { capture: captured, seeds, settings, sweeps } = study;
  const runs: RunToTrain[] = [];
  for (const sweep of sweeps)
    runs.push(
      ...(await configureStudySweep(store, {
        ...sweep,
        capture: captured.name,
        hooks: [captured.hook],
        seeds,
        settings,
      })),
    );
  return runs;
}

/** The runs that are trained, evaluated and compared. */
async function resultsOf({ store }: Session, runs: readonly RunToTrain[]): Promise<StudyRun[]> {
  const results: StudyRun[] = [];
  for (const run of runs) {
    const stored = await storedRun(store, run);
    if (stored) results.push(stored);
  }
  return results;
}
