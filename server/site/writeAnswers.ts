/** Every answer that the pages of a published site ask for. */
import { existsSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { rounding } from '../../sae/comparison/sharedFraction.ts';
import { pause } from '../../sae/pause.ts';
import { hooksOf } from '../../sae/spec/hooksOf.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import {
  matchesKey,
  tableKey,
  type DictionaryFile,
  type LabelledFile,
  type LabelsFile,
  type MatchesFile,
  type SiteParts,
  type TablesFile,
} from '../../sae/spec/site/siteContent.ts';
import type { ServerContext } from '../context.ts';
import type { MatchRow } from '../contract/comparisons.ts';
import { mapArrow, matchesArrow, stabilityArrow } from '../queries/arrowTables.ts';
import { captureNorms, listCaptures } from '../queries/captures.ts';
import { getComparison, listComparisons } from '../queries/comparisons.ts';
import { modelOfRun } from '../queries/dictionaries.ts';
import { featureColumns } from '../queries/featureColumns.ts';
import { getFeature } from '../queries/features.ts';
import { labelledDictionaries } from '../queries/labelPage.ts';
import { latentFlows, matchings } from '../queries/matchings.ts';
import { listEmergence } from '../queries/emergence.ts';
import { listMatches } from '../queries/matches.ts';
import { overview } from '../queries/overview.ts';
import { latentReproducibility, reproducibility } from '../queries/reproducibility.ts';
import { runMetrics } from '../queries/runMetrics.ts';
import { getRun, listRuns } from '../queries/runs.ts';
import { spacesOf, sweepsOf } from '../queries/elsewhere.ts';
import { listSparsity } from '../queries/sparsity.ts';
import { stability } from '../queries/stability.ts';
import { madeTables } from '../queries/storedTables.ts';
import { unknownTokens, type TokenReader } from '../queries/tokenReader.ts';
import type { AnswerOptions } from './answerOptions.ts';
import { plainColumn } from './plainColumn.ts';
import { reportAnswers } from './reportAnswers.ts';
import { searchAnswers } from './searchAnswers.ts';

/** As web/components/runs/TrainingPanel.tsx asks. */
const maxPoints = 400;
/** Matches in one question, as many as there may be. */
const matchesAtOnce = 500;

export async function writeAnswers(options: AnswerOptions): Promise<void> {
  const { server, runs, comparisons, reports, files } = options;
  const trainings = await general(options);
  const { dictionaries, lists } = await labelAnswers(options);
  for (const run of runs) await runAnswers(options, run);
  for (const capture of new Set(runs.map(({ config }) => config.capture)))
    await normAnswers(options, capture);
  for (const comparison of comparisons) await comparisonAnswers(options, comparison);
  await files.flush();
  const total = runs.reduce((sum, { config }) => sum + config.width * config.seeds.length, 0);
  let done = 0;
  for (const run of runs)
    for (const seed of run.config.seeds) {
      if (existsSync(server.store.features(run.name, seed))) await dictionaryAnswers(options, { run, seed, done, total });
      done += run.config.width;
    } // prettier-ignore
  const searched = await searchAnswers(options);
  for (const report of reports) await reportAnswers(options, report);
  if (options.tablesAt !== undefined) await tableAnswers(options, options.tablesAt);
  await files.writeVocabularies();
  const parts: SiteParts = {
    runs: runs.length,
    reports: reports.length,
    trainings,
    labelled: dictionaries.length,
    lists: Object.keys(lists).length,
    searched,
    tables: options.tablesAt !== undefined,
  };
  await files.write(siteFiles.parts(), parts);
}

/** Returns how many trainings were measured on the way. */
async function general({ server, runs, reports, files }: AnswerOptions): Promise<number> {
  // The folders of models are the whole store's.
  const ofRuns = await Promise.all(runs.map((run) => modelOfRun(server, run)));
  const models = new Set([...ofRuns.flatMap((model) => model?.name ?? []), ...reports.map(({ model }) => model.name)]); // prettier-ignore
  const emergence =
    reports.length === 0 ? [] : (await listEmergence(server)).filter(({ model }) => models.has(model));
  const answers: Record<string, () => Promise<unknown> | unknown> = {
    'overview.get': async () => ({ ...(await overview(server)), models: models.size }),
    'runs.list': () => listRuns(server),
    'captures.list': () => listCaptures(server),
    'comparisons.list': () => listComparisons(server),
    'lists.list': () => server.lists.all(),
    'sparsity.list': () => listSparsity(server),
    'sparsity.emergence': () => emergence,
    'jobs.list': () => [],
  };
  for (const [procedure, ask] of Object.entries(answers))
    await files.add({ procedure, input: undefined }, unknownTokens, async () => ask());
  return emergence.length;
}

async function labelAnswers({ server, files }: AnswerOptions): Promise<LabelledFile> {
  const dictionaries = await labelledDictionaries(server);
  for (const { run, seed } of dictionaries) {
    const labels = [...(await server.labels.of({ run, seed })).all()].map((label) => ({ ...label }));
    await files.write(siteFiles.labels(run, seed), labels as unknown as LabelsFile);
  }
  const lists: Record<string, LabelledFile['lists'][string]> = {};
  for (const { name } of await server.lists.all()) lists[name] = await server.lists.members(name);
  const labelled = { dictionaries, lists };
  await files.write(siteFiles.labelled(), labelled satisfies LabelledFile);
  return labelled;
}

async function tableAnswers(
  { server, runs, comparisons, reports, files }: AnswerOptions,
  folder: string,
): Promise<void> {
  const tables = madeTables(server.store, {
    runs: runs.map(({ name, config: { seeds } }) => ({ name, seeds })),
    comparisons: comparisons.map(({ name }) => name),
    reports: reports.map(({ name }) => name),
  });
  const places: TablesFile = Object.fromEntries(
    tables.map(({ table, of, path }) => [
      tableKey(table, of),
      `${folder}/${relative(server.store.root, path).replaceAll(sep, '/')}`,
    ]),
  );
  await files.write(siteFiles.tables(), places);
}

async function tokensOf(server: ServerContext, run: RunManifest): Promise<TokenReader> {
  return server.tokens.of(await modelOfRun(server, run));
}

async function runAnswers({ server, files }: AnswerOptions, run: RunManifest): Promise<void> {
  const { name } = run;
  const reader = await tokensOf(server, run);
  const of = (procedure: string, input: unknown, ask: () => Promise<unknown>) =>
    files.add({ procedure, input }, reader, ask);
  await of('runs.get', { name }, () => getRun(server, name));
  await of('runs.metrics', { name, maxPoints }, () => runMetrics(server, { name, maxPoints }));
  await of('runs.reproducibility', { name }, () => reproducibility(server, name));
  await of('runs.matchings', { name }, () => matchings(server, name));
  await of('runs.spaces', { name }, () => spacesOf(server, name));
  await of('runs.sweeps', { name }, () => sweepsOf(server, name));
  await of('comparisons.stability', { runName: name }, () => stability(server, { runName: name }));
  await files.writeBytes(siteFiles.arrow(`stability/${name}`), await stabilityArrow(server, name));
}

async function normAnswers({ server, files, runs }: AnswerOptions, name: string): Promise<void> {
  const own = runs.filter(({ config }) => config.capture === name);
  for (const hook of new Set(own.flatMap(({ config }) => hooksOf(config))))
    await files.add({ procedure: 'captures.norms', input: { name, hook } }, await tokensOf(server, own[0]), () =>
      captureNorms(server, name, hook),
    ); // prettier-ignore
}

async function comparisonAnswers(
  { server, files, runs }: AnswerOptions,
  comparison: ComparisonManifest,
): Promise<void> {
  const { name, threshold, a, b } = comparison;
  const run = runs.find((one) => one.name === a.run);
  const reader = run ? await tokensOf(server, run) : unknownTokens;
  await files.add({ procedure: 'comparisons.get', input: { name } }, reader, () =>
    getComparison(server, name),
  );
  const rows: MatchRow[] = [];
  for (let total = 1; rows.length < total;) {
    const page = await listMatches(server, {
      name,
      sort: 'latent',
      order: 'asc',
      offset: rows.length,
      limit: matchesAtOnce,
    });
    if (page.rows.length === 0) break;
    rows.push(...page.rows);
    total = page.total;
  }
  const content = { vocabulary: files.vocabulary(reader), threshold, rounding, a, b, rows };
  files.put(siteFiles.comparison(name), matchesKey, reader, content satisfies Omit<MatchesFile, 'rows'>);
  await files.writeBytes(siteFiles.arrow(`matches/${name}`), await matchesArrow(server, name));
  if (existsSync(server.store.comparisonMap(name)))
    await files.writeBytes(siteFiles.arrow(`map/${name}`), await mapArrow(server, name));
}

async function dictionaryAnswers(
  { server, files, report, signal }: AnswerOptions,
  { run, seed, done, total }: { run: RunManifest; seed: number; done: number; total: number },
): Promise<void> {
  const dictionary = { run: run.name, seed };
  const reader = await tokensOf(server, run);
  const columns = await featureColumns(server, dictionary);
  const pairs = await server.seedStability.sameConfiguration(dictionary);
  const content: DictionaryFile = {
    vocabulary: files.vocabulary(reader),
    width: run.config.width,
    columns: Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, plainColumn(column)])),
    comparisons: pairs.map(({ manifest }) => manifest.name),
  };
  await files.write(siteFiles.dictionary(run.name, seed), content);
  for (let latent = 0; latent < columns.latent.length; latent++) {
    const feature = { ...dictionary, latent };
    await files.add({ procedure: 'features.get', input: feature }, reader, () => getFeature(server, feature));
    await files.add({ procedure: 'features.reproducibility', input: feature }, reader, () =>
      latentReproducibility(server, feature),
    );
    await files.add({ procedure: 'features.flows', input: feature }, reader, () => latentFlows(server, feature)); // prettier-ignore
    const next = siteFiles.block(run.name, seed, latent + 1);
    if (latent + 1 === columns.latent.length || next !== siteFiles.block(run.name, seed, latent)) {
      await files.flush();
      report({ stage: 'publish', done: done + latent + 1, total, unit: 'latents' });
      await pause(signal, 'publishing');
    }
  }
}
