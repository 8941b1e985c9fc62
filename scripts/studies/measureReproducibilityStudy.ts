/** Does what a reproducibility study lists, run by run, and keeps a row of each finished run in a file of results. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { SharedNulls } from '../../sae/comparison/chance/comparisonChance.ts';
import { measureReproducibility } from '../../sae/comparison/reproducibility/measureReproducibility.ts';
import { reproducibilityKind } from '../../sae/spec/manifests/reproducibility.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { queryParquet } from '../../sae/store/parquet.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { trainRuns } from '../commands/train.ts';
import { reproducibilityRow, type ReproducibilityRow, type SharedAt } from './reproducibilityRow.ts';
import type { ReproducibilityStudy } from './reproducibilityStudy.ts';
import {
  captureOnce,
  configureStudySweep,
  evaluateAndCompare,
  isTrained,
  modelOnDemand,
  storedRun,
  type StudyConfiguration,
  type StudyRun,
} from './studyRuns.ts';

interface Work {
  study: ReproducibilityStudy;
  /** The name or path of the study's model. */
  model: string;
  /** The file of results. */
  results: string;
  /** Whether something new may begin; throws when it is to stop at once. */
  mayBegin: () => boolean;
}

/**
 * Goes through the sweeps in their order. What is stored already is not computed again, so that stopping costs at most the checkpoint
 * or the comparison that was going on; once nothing new may begin, what is stored of the other runs is still kept. Throws what capturing, training and measuring throw.
 */
export async function measureReproducibilityStudy(session: Session, work: Work): Promise<void> {
  const { study, results, mayBegin } = work;
  const model = modelOnDemand(session.store, work.model);
  const nulls = new SharedNulls();
  for (const { worth = false, ...sweep } of study.sweeps) {
    const captured = study.captures.find(({ name }) => name === sweep.capture)!;
    if (mayBegin()) await captureOnce(session, captured, model);
    if (!existsSync(session.store.captureManifest(captured.name))) continue;
    const { seeds, settings } = study;
    const shared = { hooks: captured.hooks, seeds, settings };
    const runs = await configureStudySweep(session.store, { ...shared, ...sweep });
    for (const run of runs) {
      await keep(session, run, { text: captured.text, results });
      if (!mayBegin()) continue;
      if (!(await isTrained(session.store, run.name))) await trainRuns(session, [run], { resume: true });
      const tokens = { evaluated: study.evaluated, losses: study.losses, compared: 0 };
      await evaluateAndCompare(session, run, { model, mayBegin, tokens, nulls });
      await keep(session, run, { text: captured.text, results });
      if (!(await storedRun(session.store, run)) || !mayBegin()) continue;
      if (!(await isMeasured(session, run, worth)))
        await measureReproducibility({
          store: session.store,
          run: run.name,
          worth: worth ? { model: await model.open(), ...study.worth } : undefined,
          report: session.report,
          signal: session.signal,
        });
      await keep(session, run, { text: captured.text, results });
    }
  }
  await model.dispose();
}

async function isMeasured(
  { store }: Session,
  { name }: StudyConfiguration,
  worth: boolean,
): Promise<boolean> {
  const path = store.reproducibility(name);
  return existsSync(path) && (!worth || (await readManifest(path, reproducibilityKind)).worth !== undefined);
}

/** The rows of a file of results; none where there is no such file yet. */
export async function readRows(results: string): Promise<ReproducibilityRow[]> {
  return existsSync(results) ? (JSON.parse(await readFile(results, 'utf8')) as ReproducibilityRow[]) : [];
}

/** Puts what was found of a run into the results, in the place of what was there of it. */
async function keep(
  { store }: Session,
  run: StudyConfiguration,
  { text, results }: { text: string; results: string },
): Promise<void> {
  const stored = await storedRun(store, run);
  if (!stored) return;
  const path = store.reproducibility(run.name);
  const found = existsSync(path) ? await readManifest(path, reproducibilityKind) : null;
  const row = reproducibilityRow(stored, { text, found, curve: await meanCurve(store, stored) });
  const before = await readRows(results);
  const at = before.findIndex((other) => other.run === row.run);
  const rows = at < 0 ? [...before, row] : before.with(at, row);
  await writeFile(results, `${JSON.stringify(rows, null, 1)}\n`);
}

/** Every twentieth of a cosine: what the pairs of seeds share on average. */
async function meanCurve(store: StoreLayout, { comparisons }: StudyRun): Promise<SharedAt[]> {
  const curves = await Promise.all(
    comparisons.map(({ name }) =>
      queryParquet('SELECT threshold, shared FROM read_parquet($path) ORDER BY threshold', {
        path: store.comparisonCurve(name),
      }),
    ),
  );
  return curves[0].flatMap(({ threshold }, at) =>
    at % 5 === 0
      ? [
          {
            threshold: Number(threshold),
            shared: curves.reduce((sum, curve) => sum + Number(curve[at].shared) / curves.length, 0),
          },
        ]
      : [],
  );
}
