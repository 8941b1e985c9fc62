/** `lazyscope consensus`: a dictionary of what several seeds agree on, trained further, beside its parents. */
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { ConsensusStart } from '../../sae/comparison/consensus/consensusStart.ts';
import type { ComparisonManifest } from '../../sae/spec/manifests/comparison.ts';
import type { Evaluation } from '../../sae/spec/manifests/evaluation.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { finishedRun, modelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import { describeEnvironment } from '../commandLine/environment.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';
import { seedPairs } from './compare.ts';
import { missedTarget } from './train.ts';

declare global {
  interface JobCommands {
    consensus: typeof run;
  }
}

export const run: JobWork<'consensus'> = async (session, given) => {
  const { store, report, signal } = session;
  const parent = await finishedRun(store, given.run);
  const seeds = seedsOf(parent, given.seeds);
  const { consensusStart, continuedStart, disjointGroups } =
    await import('../../sae/comparison/consensus/consensusStart.ts');
  const { train } = await import('../../sae/training/train.ts');
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const backend = await session.startBackend();
  const { threshold } = given;
  const parentPairs = await compared(session, parent.name, seeds, threshold);
  const groups = disjointGroups(seeds, given.groups);
  const name = given.name ?? `${parent.name}-consensus`;
  const config = {
    ...parent.config,
    seeds: groups.map((_, group) => group),
    tokens: given.tokens ?? Math.ceil(parent.config.tokens / 4),
  };
  /** Goes on with what an interrupted command of the same settings began, or has finished; `begin` is then not asked. */
  const trained = async (
    as: string,
    asked: { parents: readonly (readonly number[])[]; minSupport: number },
    begin: () => Promise<ConsensusStart>,
  ) => {
    const resume = await began(store, as, { run: parent.name, threshold, ...asked });
    const manifest = await train({
      store,
      name: as,
      config,
      ...(resume ? { resume } : { start: await begin() }),
      exclude: parseExclusionRule(parent.exclusion?.rule ?? 'none'),
      report,
      signal,
      environment: describeEnvironment(backend),
    });
    const missed = missedTarget(manifest);
    if (missed !== null) session.say(missed);
    return manifest;
  };
  const { minSupport } = given;
  const made = await trained(name, { parents: groups, minSupport }, () =>
    consensusStart({ store, run: parent, groups, minSupport, threshold, report, signal }),
  );
  const figures = async (manifest: RunManifest) =>
    figuresOf(session, manifest, config.seeds, {
      pairs: await compared(session, manifest.name, config.seeds, threshold),
      threshold,
    });
  const first = groups.map(([seed]) => seed);
  const control = given.control
    ? await trained(`${name}-control`, { parents: first.map((seed) => [seed]), minSupport: 1 }, () =>
        continuedStart(parent, first, { store, threshold }),
      )
    : null;
  const document = {
    run: { name, consensus: made.consensus!, tokens: config.tokens, width: config.width },
    parents: await figuresOf(session, parent, seeds, { pairs: parentPairs, threshold }),
    consensus: await figures(made),
    ...(control && { control: await figures(control) }),
  };
  return { document, text: consensusText(document) };
};

/** Whether there is a run of that name that began with the consensus that is asked for. */
async function began(
  store: StoreLayout,
  name: string,
  asked: { run: string; threshold: number; parents: readonly (readonly number[])[]; minSupport: number },
): Promise<boolean> {
  const path = store.runManifest(name);
  if (!existsSync(path)) return false;
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const { runKind } = await import('../../sae/spec/manifests/run.ts');
  const { consensus } = await readManifest(path, runKind);
  if (!consensus) return false;
  const { run, threshold, minSupport, dictionaries } = consensus;
  return isDeepStrictEqual(
    { run, threshold, minSupport, parents: dictionaries.map(({ parents }) => parents) },
    asked,
  );
}

/** The comparisons of all pairs of the seeds; those that there are not yet are made. */
async function compared(
  { store, report, signal }: Session,
  run: string,
  seeds: readonly number[],
  threshold: number,
): Promise<ComparisonManifest[]> {
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const { comparisonKind } = await import('../../sae/spec/manifests/comparison.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const nulls = new SharedNulls();
  const found: ComparisonManifest[] = [];
  for (const pair of seedPairs(run, seeds)) {
    const path = store.comparisonManifest(pair.name);
    found.push(
      existsSync(path)
        ? await readManifest(path, comparisonKind)
        : await compare({ store, ...pair, threshold, nulls, report, signal }),
    );
  }
  return found;
}

interface Figures {
  run: string;
  seeds: number[];
  /** Means over seeds; null where the model is not known. */
  fvu: number | null;
  ceRecovered: number | null;
  deadFraction: number;
  /** Means over pairs of seeds; null where there is one seed only. */
  shared: number | null;
  sharedByChance: number | null;
  mmcs: number | null;
}

async function figuresOf(
  { store, report, signal }: Session,
  manifest: RunManifest,
  seeds: readonly number[],
  { pairs, threshold }: { pairs: readonly ComparisonManifest[]; threshold: number },
): Promise<Figures> {
  const { evaluate } = await import('../../sae/evaluation/evaluate.ts');
  const { evaluationKind } = await import('../../sae/spec/manifests/evaluation.ts');
  const { readManifest } = await import('../../sae/store/readManifest.ts');
  const evaluations: Evaluation[] = [];
  const missing = seeds.some((seed) => !existsSync(store.evaluation(manifest.name, seed)));
  const model = missing ? await modelOfRun(store, manifest) : null;
  try {
    for (const seed of seeds) {
      const path = store.evaluation(manifest.name, seed);
      evaluations.push(
        existsSync(path)
          ? await readManifest(path, evaluationKind)
          : await evaluate({ store, run: manifest.name, seed, model, report, signal }),
      );
    }
  } finally {
    model?.dispose();
  }
  const { readSeedCosines } = await import('../../sae/comparison/reproducibility/seedCosines.ts');
  const { returnHistogram, returnShares } = await import('../../sae/comparison/reproducibility/returns.ts');
  const shares =
    pairs.length > 0
      ? returnShares(returnHistogram(await readSeedCosines(store, seeds, pairs), threshold))
      : { mean: NaN };
  return {
    run: manifest.name,
    seeds: [...seeds],
    fvu: meanOf(evaluations.map(({ fvu }) => fvu)),
    ceRecovered: meanOf(evaluations.map(({ ceRecovered }) => ceRecovered)),
    deadFraction: meanOf(evaluations.map(({ deadFraction }) => deadFraction)) ?? 0,
    shared: pairs.length > 0 ? shares.mean : null,
    sharedByChance: meanOf(
      pairs.map(({ chance, threshold: own }) =>
        own === threshold ? ((chance?.covariance ?? chance?.isotropic)?.shared ?? null) : null,
      ),
    ),
    mmcs: meanOf(pairs.map(({ mmcs }) => mmcs)),
  };
}

/** Null where there is none, or where one is undefined. */
function meanOf(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length > 0 ? sum / values.length : null;
}

function consensusText({
  run: { name, consensus, width, tokens },
  parents,
  consensus: own,
  control,
}: {
  run: { name: string; consensus: NonNullable<RunManifest['consensus']>; width: number; tokens: number };
  parents: Figures;
  consensus: Figures;
  control?: Figures;
}): string {
  const row = (what: string, figures: Figures) => [
    what,
    figures.seeds.length,
    figure(figures.fvu),
    percent(figures.ceRecovered),
    percent(figures.deadFraction),
    percent(figures.shared),
    percent(figures.sharedByChance),
    figure(figures.mmcs),
  ];
  return [
    consensus.dictionaries
      .map(
        ({ parents: seeds, agreed }, seed) =>
          `${name}/${seed}: ${agreed} of ${width} latents are those that at least ${consensus.minSupport} of seeds ${seeds.join(', ')} of '${consensus.run}' have; the rest are the most valuable of the others.`,
      )
      .join('\n'),
    table(
      ['', 'dictionaries', 'FVU', 'CE recovered', 'dead', 'shared', 'by chance', 'MMCS'],
      [
        row('seeds', parents),
        row(`consensus, ${tokens} tokens further`, own),
        ...(control ? [row(`seeds, ${tokens} tokens further`, control)] : []),
      ],
    ),
    verdict(parents, own, control),
  ].join('\n\n');
}

/** The test that matters: a second consensus of other seeds. */
function verdict(parents: Figures, own: Figures, control: Figures | undefined): string {
  if (own.shared === null || parents.shared === null)
    return 'Whether a consensus is more stable than a seed, disjoint groups of seeds say: give --groups 2.';
  const closer = own.shared > Math.max(parents.shared, control?.shared ?? 0);
  const beside =
    control && control.shared !== null ? `, and ${percent(control.shared)} when trained as much further` : '';
  return `Two consensus dictionaries of disjoint seeds share ${percent(own.shared)} of their latents, two seeds ${percent(parents.shared)}${beside}: a consensus is ${closer ? '' : 'no '}closer to another one than two seeds are.`;
}
