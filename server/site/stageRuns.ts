/** A store of some runs and sparsity reports alone, made of hard links to the files of another, so that whatever is asked of it knows of nothing else. */
import { existsSync } from 'node:fs';
import { copyFile, link, readdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { isLazyscopeError, LazyscopeError } from '../../sae/errors.ts';
import { modelChecksum } from '../../sae/models/modelChecksum.ts';
import { modelPlace, withoutPlace, type ModelReference } from '../../sae/models/modelPlace.ts';
import { openModelFiles } from '../../sae/models/openModelFiles.ts';
import { readSafetensors } from '../../sae/formats/safetensors.ts';
import { captureKind } from '../../sae/spec/manifests/capture.ts';
import { comparisonKind, type ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import { publishedLabelsKind } from '../../sae/spec/manifests/publishedLabels.ts';
import { runKind, type RunManifest } from '../../sae/spec/manifests/run.ts';
import { sparsityReportKind, type SparsityReport } from '../../sae/spec/manifests/sparsityReport.ts';
import { spacesKind } from '../../sae/spec/manifests/spaces.ts';
import { stabilitySweepKind } from '../../sae/spec/manifests/stabilitySweep.ts';
import { namePattern } from '../../sae/spec/names.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { writeManifest } from '../../sae/store/writeManifest.ts';
import { writeVocabulary } from '../../sae/tokens/vocabulary.ts';
import { Database } from '../database.ts';
import { labelsOfDatabase } from '../publishedLabels.ts';
import type { Log } from '../log.ts';
import type { Place } from '../queries/manifestsIn.ts';
import { withoutTextFolder } from '../queries/runs.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

export interface StagedRuns {
  runs: RunManifest[];
  comparisons: ComparisonManifest[];
  reports: SparsityReport[];
}

/** What is chosen of a store. */
export interface Chosen {
  /** Names of runs. */
  runs: readonly string[];
  /** Names of sparsity reports. */
  reports: readonly string[];
  /** Whether all reports of models that the runs look into go along. */
  reportsOfRuns: boolean;
}

/**
 * Fills `to`, which must be empty, with the runs, the manifests of their captures, the comparisons between them, what is known of their spaces and
 * sweeps where all the runs that it is about are among them, the sparsity reports, and what people wrote about the runs.
 * Throws `not_found` for a run or a report that isn't there, and `conflict` while a server has the labels open.
 */
export async function stageRuns(
  from: StoreLayout,
  chosen: Chosen,
  to: StoreLayout,
  log: Log,
): Promise<StagedRuns> {
  const names = chosen.runs;
  const runs: RunManifest[] = [];
  const texts = new Set<string>();
  for (const name of new Set(names)) {
    if (!existsSync(from.runManifest(name)))
      throw new LazyscopeError(
        'not_found',
        `There is no run '${name}' in '${from.root}': train it first, or name another data folder with --data.`,
      );
    const run = await readManifest(from.runManifest(name), runKind);
    runs.push(run);
    await writeManifest(to.runManifest(name), runKind, withoutTextFolder(run), run);
    for (const seed of run.config.seeds) texts.add(await searchedText(from.searchIndex(name, seed)));
    await linkFolder(
      from,
      to,
      from.run(name),
      (path) =>
        path !== 'run.json' && !/^checkpoints\/|^tensorboard\/|^wandb\/|\/sae\.safetensors$/.test(path),
    );
  }
  await linkFolder(from, to, join(from.root, 'vocabularies'));
  const copy = { from, to, log };
  const models = new Set<string>();
  for (const capture of new Set(runs.map(({ config }) => config.capture))) {
    const path = from.captureManifest(capture);
    if (!existsSync(path)) continue;
    const manifest = await readManifest(path, captureKind);
    models.add(manifest.model.name);
    await writeManifest(
      to.captureManifest(capture),
      captureKind,
      await ofNoMachine(manifest, copy),
      manifest,
    );
  }
  for (const text of texts)
    if (text !== '' && existsSync(from.searchText(text))) await linkFile(from, to, from.searchText(text));
  const compared = { folder: from.comparisons(), pathOf: (name: string) => from.comparisonManifest(name), kind: comparisonKind }; // prettier-ignore
  const comparisons = (await reportsIn(compared)).filter(({ a, b }) =>
    [a, b].every(({ run }) => names.includes(run)),
  );
  for (const { name } of comparisons) await linkFolder(from, to, from.comparison(name));
  await linkReports(from, to, names);
  await stageLabels(from, names, to);
  const reports = await sparsityReports(from, chosen, models);
  for (const measured of reports) {
    const { name } = measured;
    await linkFolder(from, to, from.sparsity(name), (path) => path !== 'report.json');
    await writeManifest(to.sparsityReport(name), sparsityReportKind, await ofNoMachine(measured, copy), measured); // prettier-ignore
  }
  return { runs, comparisons, reports };
}

/**
 * What a manifest says without what it says of this machine. Where the texts of the model's tokens were not in the store, they are then in the copy, as nobody
 * finds the model any more.
 */
async function ofNoMachine<Manifest extends { model: ModelReference }>(
  manifest: Manifest,
  { from, to, log }: { from: StoreLayout; to: StoreLayout; log: Log },
): Promise<Manifest> {
  const place = modelPlace(from, manifest.model);
  const sha256 = manifest.model.sha256 ?? (place === undefined ? undefined : await modelChecksum(place));
  if (place !== undefined && sha256 !== undefined && !existsSync(to.vocabulary(sha256)))
    try {
      await writeVocabulary(to.vocabulary(sha256), openModelFiles(place).tokenizer());
    } catch (error) {
      log(`Tokens are shown as numbers: '${place}' can't be read.`, error);
    }
  return { ...manifest, model: { ...withoutPlace(manifest.model), ...(sha256 !== undefined && { sha256 }) } };
}

/** The name of the text that a search index is of; empty without one that can be read, where the server does without too. */
async function searchedText(path: string): Promise<string> {
  if (!existsSync(path)) return '';
  try {
    return (await readSafetensors(path)).metadata['text'] ?? '';
  } catch (error) {
    if (isLazyscopeError(error)) return '';
    throw error;
  }
}

async function sparsityReports(
  from: StoreLayout,
  { reports, reportsOfRuns }: Chosen,
  models: ReadonlySet<string>,
): Promise<SparsityReport[]> {
  const all = await reportsIn({
    folder: from.sparsities(),
    pathOf: (name: string) => from.sparsityReport(name),
    kind: sparsityReportKind,
  });
  const known = all.map(({ name }) => name);
  const missing = reports.find((name) => !known.includes(name));
  if (missing !== undefined)
    throw new LazyscopeError(
      'not_found',
      `There is no sparsity report '${missing}': ${known.length > 0 ? `there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}` : "make one with 'lazyscope sparsity'"}.`,
    );
  return all.filter(({ name, model }) => reports.includes(name) || (reportsOfRuns && models.has(model.name)));
}

/** Every document of a kind, in the order of the names. */
async function reportsIn<Document extends { version: number }>({
  folder,
  pathOf,
  kind,
}: Place<Document>): Promise<Document[]> {
  const entries = await readdir(folder).catch(() => []);
  const names = entries.filter((name) => namePattern.test(name) && existsSync(pathOf(name)));
  return Promise.all(names.sort().map((name) => readManifest(pathOf(name), kind)));
}

async function linkReports(from: StoreLayout, to: StoreLayout, names: readonly string[]): Promise<void> {
  const spaces = {
    folder: from.spaces(),
    pathOf: (name: string) => from.spacesReport(name),
    kind: spacesKind,
  };
  for (const { name, a, b } of await reportsIn(spaces))
    if (names.includes(a.run) && names.includes(b.run)) await linkFile(from, to, from.spacesReport(name));
  const sweeps = { folder: from.sweeps(), pathOf: (name: string) => from.sweepStability(name), kind: stabilitySweepKind }; // prettier-ignore
  for (const { name, rows } of await reportsIn(sweeps))
    if (rows.every(({ run }) => names.includes(run))) await linkFile(from, to, from.sweepStability(name));
}

async function stageLabels(from: StoreLayout, runs: readonly string[], to: StoreLayout): Promise<void> {
  if (!existsSync(from.database())) return;
  const database = await Database.open(from.database());
  try {
    const { labels, lists, listed, version } = await labelsOfDatabase(database);
    const ofRuns = listed.filter(({ run }) => runs.includes(run));
    const withMembers = new Set(ofRuns.map(({ list }) => list));
    await writeManifest(to.publishedLabels(), publishedLabelsKind, {
      version,
      labels: labels.filter(({ run }) => runs.includes(run)),
      lists: lists.filter(({ name }) => withMembers.has(name)),
      listed: ofRuns,
    });
  } finally {
    await database.close();
  }
}

async function linkFolder(
  from: StoreLayout,
  to: StoreLayout,
  folder: string,
  wanted: (path: string) => boolean = () => true,
): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const inside = relative(folder, path).replaceAll(sep, '/');
    if (entry.isFile() && !/(^|\/)\./.test(inside) && wanted(inside)) await linkFile(from, to, path);
  }
}

/** A copy where the two are on different disks. Nothing is ever written into either. */
async function linkFile(from: StoreLayout, to: StoreLayout, path: string): Promise<void> {
  const place = join(to.root, relative(from.root, path));
  makeFolder(dirname(place));
  await link(path, place).catch(() => copyFile(path, place));
}
