/** The explorer of some runs and sparsity reports as a folder of files, for any host of static pages. */
import { existsSync } from 'node:fs';
import { copyFile, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { LazyscopeError } from '../../sae/errors.ts';
import { writeFeaturePages } from '../../sae/features/featurePages.ts';
import { silent, type Report } from '../../sae/progress.ts';
import { writeJsonAtomic } from '../../sae/store/atomicWrite.ts';
import { explainWriteError } from '../../sae/store/explainWriteError.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { withLock } from '../../sae/store/lock.ts';
import { indexStore } from '../../sae/store/remote/storeFiles.ts';
import type { Log } from '../log.ts';
import { openContext } from '../openContext.ts';
import { AnswerFiles } from './answerFiles.ts';
import { stageRuns, type StagedRuns } from './stageRuns.ts';
import { writeAnswers } from './writeAnswers.ts';
import { makeFolder } from '../../sae/store/makeFolder.ts';

export interface PublishOptions {
  store: StoreLayout;
  /** Names of the runs. */
  runs: readonly string[];
  /** Names of sparsity reports, and whether those of models that the runs look into go along. */
  reports?: readonly string[];
  reportsOfRuns?: boolean;
  /** The folder of the site; one that holds an earlier site is replaced. */
  out: string;
  /** Puts the pages into a folder, which are the same for every site. */
  putPages: (folder: string) => Promise<void>;
  bundledModels: readonly string[];
  version: string;
  /** Whether the tables of the runs are put beside the pages, as a store. */
  withStore: boolean;
  log: Log;
  report?: Report;
  signal?: AbortSignal | undefined;
}

export interface PublishedSite {
  out: string;
  runs: string[];
  comparisons: string[];
  /** Sparsity reports. */
  reports: string[];
  latents: number;
  neurons: number;
  files: number;
  bytes: number;
  /** Bytes of the pages, of the answers, and of the store beside them. */
  pageBytes: number;
  answerBytes: number;
  storeBytes: number;
}

/** Names a folder as a site, which a later one may replace. */
const marker = 'lazyscope-site.json';

/** The folder of the tables, seen from the pages. */
const tablesAt = 'data';

/** Copies of what is in the tables, in the form in which a server reads them from its own disk. */
const leftOut = /\/pages\.safetensors$/;

/**
 * Writes the site beside `out` and puts it there when it is whole. Throws `bad_input` when nothing is named, `not_found` for a run or a report that isn't there, `conflict` when `out` holds
 * something else, another process publishes there, or a server has the labels open, and as writing does.
 */
export async function publishSite(options: PublishOptions): Promise<PublishedSite> {
  const { runs, reports = [] } = options;
  if (runs.length === 0 && reports.length === 0)
    throw new LazyscopeError(
      'bad_input',
      "Nothing to publish: name runs, as in 'lazyscope publish RUN', or sparsity reports, with --report NAME.",
    );
  const out = resolve(options.out);
  await refuseOther(out);
  try {
    makeFolder(dirname(out));
    // One name for all who publish there, so that what a killed process has left is found by the next one.
    const work = join(dirname(out), `.${basename(out)}.publishing`);
    try {
      return await withLock(work, 'publish', () => publishIn(work, out, options));
    } finally {
      // Who has taken the folder meanwhile keeps it.
      await rmdir(work).catch(() => {});
    }
  } catch (error) {
    throw explainWriteError(error, out);
  }
}

async function publishIn(work: string, out: string, options: PublishOptions): Promise<PublishedSite> {
  const { store, runs, reports = [], reportsOfRuns = true, report = silent, signal } = options;
  const [site, stage, before] = ['site', 'store', 'before'].map((name) => join(work, name));
  const clear = () =>
    Promise.all([site, stage, before].map((path) => rm(path, { recursive: true, force: true })));
  await clear();
  try {
    const staged = new StoreLayout(stage);
    makeFolder(staged.root);
    const found = await stageRuns(store, { runs, reports, reportsOfRuns }, staged, options.log);
    for (const { name, config } of found.runs)
      for (const seed of config.seeds)
        if (existsSync(staged.features(name, seed)) && !existsSync(staged.featurePages(name, seed)))
          await writeFeaturePages({ store: staged, run: name, seed, report, signal });
    await options.putPages(site);
    const pageBytes = (await sizeOf(site)).bytes;
    const answers = new AnswerFiles(site);
    await answer(options, { staged, found, answers, report });
    const storeBytes = options.withStore ? await putStore(staged, join(site, tablesAt), options) : 0;
    await writeJsonAtomic(join(site, marker), {
      version: 1,
      lazyscope: options.version,
      createdAt: new Date().toISOString(),
      runs: found.runs.map(({ name }) => name),
      reports: found.reports.map(({ name }) => name),
    });
    const { files, bytes } = await sizeOf(site);
    await replace(out, site, before);
    return {
      out,
      runs: found.runs.map(({ name }) => name),
      comparisons: found.comparisons.map(({ name }) => name),
      reports: found.reports.map(({ name }) => name),
      latents: found.runs.reduce((sum, { config }) => sum + config.width * config.seeds.length, 0),
      neurons: found.reports.flatMap(({ layers }) => layers).reduce((sum, layer) => sum + layer.neurons, 0),
      files,
      bytes,
      pageBytes,
      answerBytes: answers.bytes,
      storeBytes,
    };
  } finally {
    await clear();
  }
}

/** Renames twice, since removing thousands of files would leave readers without a site for as long. */
async function replace(out: string, site: string, before: string): Promise<void> {
  if (!existsSync(out)) return rename(site, out);
  await rename(out, before);
  try {
    await rename(site, out);
  } catch (error) {
    await rename(before, out);
    throw error;
  }
}

async function answer(
  { bundledModels, store, version, log, signal, withStore }: PublishOptions,
  {
    staged,
    found,
    answers,
    report,
  }: { staged: StoreLayout; found: StagedRuns; answers: AnswerFiles; report: Report },
): Promise<void> {
  const { context, close } = await openContext({
    dataFolder: staged.root,
    publishedAt: 'Published study',
    bundledModels: [store.models(), ...bundledModels],
    version,
    program: [process.execPath],
    log,
  });
  try {
    await writeAnswers({
      server: context,
      ...found,
      files: answers,
      tablesAt: withStore ? tablesAt : undefined,
      report,
      signal,
    });
  } finally {
    await close();
  }
}

/** Copies rather than links: the site goes elsewhere. Returns its bytes. */
async function putStore(staged: StoreLayout, folder: string, options: PublishOptions): Promise<number> {
  const { report = silent, signal } = options;
  for (const path of await filesIn(staged.root)) {
    const name = relative(staged.root, path).replaceAll(sep, '/');
    if ((!name.includes('/') && name !== 'labels.json') || leftOut.test(name)) continue;
    const place = join(folder, name);
    makeFolder(dirname(place));
    await copyFile(path, place);
  }
  await indexStore({ store: new StoreLayout(folder), report, signal });
  return (await sizeOf(folder)).bytes;
}

/** Nobody's folder is replaced by a site, except an earlier site. */
async function refuseOther(out: string): Promise<void> {
  const names = await readdir(out).catch((error: unknown): string[] => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new LazyscopeError('conflict', `'${out}' is not a folder: give another with --out.`, {
      cause: error,
    });
  });
  if (names.length > 0 && !names.includes(marker))
    throw new LazyscopeError(
      'conflict',
      `'${out}' holds something else than a published site: give another folder with --out, or empty it.`,
    );
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function sizeOf(folder: string): Promise<{ files: number; bytes: number }> {
  const paths = await filesIn(folder);
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return { files: paths.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
