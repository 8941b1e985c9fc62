/** `lazyscope stability`: a sweep of configurations with a column for how many of their features come back beyond chance. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { LazyscopeError } from '../../sae/errors.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { StabilitySweep } from '../../sae/spec/manifests/stabilitySweep.ts';
import { modelOfRun } from '../commandLine/dictionaries.ts';
import { fraction, positiveInteger, withCommonOptions } from '../commandLine/options.ts';
import { runCommand, type Outcome, type Session } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';
import { sharedThreshold } from '../../sae/spec/comparisonDefaults.ts';
import { startNames } from '../../sae/spec/startFields.ts';
import { dictionaryPairs, seedPairs } from './compare.ts';
import { sweepRuns, trainRuns } from './train.ts';

interface Options {
  threshold: number;
  maxTokens?: number;
  lossTokens?: number;
}

export function stability(): Command {
  const command = new Command('stability')
    .description('train a sweep and say how many features of each configuration come back, beyond chance')
    .argument('<sweep>', 'a YAML file as for train, with several seeds; finished runs are not trained again')
    .option('--threshold <cosine>', 'both cosines of a feature that comes back', fraction, sharedThreshold)
    .option('--max-tokens <n>', 'held-out tokens that each run is evaluated on', positiveInteger)
    .option('--loss-tokens <n>', 'held-out tokens that the model is run on', positiveInteger);
  return withCommonOptions(command).action((sweep: string, given: Options) =>
    runCommand(command, (session) => swept(session, sweep, given)),
  );
}

type Row = StabilitySweep['rows'][number];

async function swept(session: Session, path: string, { threshold, ...tokens }: Options): Promise<Outcome> {
  const runs = await sweepRuns(session, path, {});
  const single = runs.find(({ config }) => config.seeds.length < 2);
  if (single)
    throw new LazyscopeError(
      'bad_input',
      `Run '${single.name}' of '${path}' has one seed, so that nothing can come back: list several under seeds.`,
    );
  const manifests = await trainRuns(session, runs, { resume: true });
  const rows: Row[] = [];
  for (const manifest of manifests) {
    const own = await compared(session, seedPairs(manifest.name, manifest.config.seeds), threshold);
    rows.push(await rowOf(session, manifest, { beside: ownSeeds, pairs: own, tokens }));
  }
  for (const [one, other] of differingInOrder(manifests)) {
    // As many pairs as among the seeds of one run, and never a seed with itself.
    const pairs = dictionaryPairs(
      { run: one.name, seeds: one.config.seeds },
      { run: other.name, seeds: other.config.seeds },
    ).filter(({ a, b }) => a.seed < b.seed);
    rows.push(
      await rowOf(session, one, {
        beside: other.name,
        pairs: await compared(session, pairs, threshold),
        tokens,
      }),
    );
  }
  const { nameOfSweep } = await import('../../sae/training/sweep.ts');
  const { stabilitySweepKind } = await import('../../sae/spec/manifests/stabilitySweep.ts');
  const { writeManifest } = await import('../../sae/store/writeManifest.ts');
  const document: StabilitySweep = {
    version: 1,
    name: nameOfSweep(await readFile(path, 'utf8')),
    createdAt: new Date().toISOString(),
    threshold,
    rows,
  };
  await writeManifest(session.store.sweepStability(document.name), stabilitySweepKind, document);
  return { document, text: sweptText(rows, threshold) };
}

const ownSeeds = 'its own seeds';

/** Pairs of runs whose configurations are the same but for the order of the rows. */
function differingInOrder(manifests: readonly RunManifest[]): [RunManifest, RunManifest][] {
  const key = ({ config }: RunManifest) => JSON.stringify({ ...config, rowOrder: 0 });
  return manifests.flatMap((one, at) =>
    manifests
      .slice(at + 1)
      .flatMap((other): [RunManifest, RunManifest][] => (key(one) === key(other) ? [[one, other]] : [])),
  );
}

/** The comparisons of the pairs; those that there are not yet at this threshold are made. */
async function compared(
  { store, report, signal }: Session,
  pairs: ReturnType<typeof seedPairs>,
  threshold: number,
): Promise<ComparisonManifest[]> {
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const { comparisonKind } = await import('../../sae/spec/manifests/comparison.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const nulls = new SharedNulls();
  const found: ComparisonManifest[] = [];
  for (const pair of pairs) {
    const stored = store.comparisonManifest(pair.name);
    const before = existsSync(stored) ? await readManifest(stored, comparisonKind) : null;
    found.push(
      before?.threshold === threshold && before.chance
        ? before
        : await compare({ store, ...pair, threshold, nulls, report, signal }),
    );
  }
  return found;
}

async function rowOf(
  { store, report, signal }: Session,
  manifest: RunManifest,
  {
    beside,
    pairs,
    tokens: { maxTokens, lossTokens },
  }: {
    beside: string;
    pairs: readonly ComparisonManifest[];
    tokens: Pick<Options, 'maxTokens' | 'lossTokens'>;
  },
): Promise<Row> {
  const { evaluate } = await import('../../sae/evaluation/evaluate.ts');
  const { evaluationKind } = await import('../../sae/spec/manifests/evaluation.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const { name, config } = manifest;
  const missing = config.seeds.filter((seed) => !existsSync(store.evaluation(name, seed)));
  const model = missing.length > 0 ? await modelOfRun(store, manifest) : null;
  try {
    for (const seed of missing)
      await evaluate({ store, run: name, seed, model, maxTokens, lossTokens, report, signal });
  } finally {
    model?.dispose();
  }
  const evaluations = await Promise.all(
    config.seeds.map((seed) => readManifest(store.evaluation(name, seed), evaluationKind)),
  );
  const { bootstrapSeeds } = await import('../../sae/comparison/matchings/bootstrapSeeds.ts');
  const interval =
    beside === ownSeeds
      ? bootstrapSeeds(
          config.seeds,
          pairs.map(({ a, b, shared }) => ({ a: a.seed, b: b.seed, value: shared })),
        )
      : null;
  const chance = meanOf(pairs.map((pair) => (pair.chance!.covariance ?? pair.chance!.isotropic).shared))!;
  const comesBack = meanOf(pairs.map(({ shared }) => shared))!;
  return {
    run: name,
    with: beside,
    architecture: config.architecture,
    width: config.width,
    tokens: config.tokens,
    start: Object.fromEntries(
      startNames.flatMap((start) => (config[start] === undefined ? [] : [[start, config[start]]])),
    ),
    l0: meanOf(evaluations.map(({ l0 }) => l0)),
    fvu: meanOf(evaluations.map(({ fvu }) => fvu)),
    ceRecovered: meanOf(evaluations.map(({ ceRecovered }) => ceRecovered)),
    deadFraction: meanOf(evaluations.map(({ deadFraction }) => deadFraction)),
    comesBack,
    interval: interval && [interval[0], interval[1]],
    byChance: chance,
    beyondChance: comesBack - chance,
    significant: meanOf(pairs.map((pair) => pair.chance!.beyond.share))!,
    pairs: pairs.length,
  };
}

/** Null where one is undefined, and for none. */
function meanOf(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length > 0 ? sum / values.length : null;
}

function sweptText(rows: readonly Row[], threshold: number): string {
  const ordered = [...rows].sort((x, y) => y.beyondChance - x.beyondChance);
  const [best] = ordered;
  return [
    `Most features beyond chance come back in '${best.run}' (beside ${best.with}): ${percent(best.comesBack)} at both cosines ≥ ${threshold}, of which chance explains ${percent(best.byChance)}.`,
    table(
      [
        'run',
        'beside',
        'L0',
        'FVU',
        'CE recovered',
        'dead',
        'come back',
        '95 % interval',
        'by chance',
        'beyond',
        'p < q',
        'pairs',
      ],
      ordered.map((row) => [
        row.run,
        row.with,
        figure(row.l0, 1),
        figure(row.fvu),
        percent(row.ceRecovered),
        percent(row.deadFraction),
        percent(row.comesBack),
        row.interval ? `${percent(row.interval[0])} to ${percent(row.interval[1])}` : '–',
        percent(row.byChance),
        percent(row.beyondChance),
        percent(row.significant),
        row.pairs,
      ]),
    ),
  ].join('\n\n');
}
