/** `lazyscope compare`: which latents of one dictionary are shared with another. */
import { LazyscopeError } from '../../sae/errors.ts';
import type { CompareOptions } from '../../sae/comparison/openComparison.ts';
import type { CommandOptionsOf } from '../../sae/spec/jobs/jobs.ts';
import { bytesOf } from '../../sae/spec/sizes.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import type {
  ComparisonChance,
  ComparisonManifest,
  DictionaryReference,
} from '../../sae/spec/manifests/comparison.ts';
import { dictionaryReference, finishedRun, knownModelOfRun, seedsOf } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { isElsewhere, jobsElsewhere } from '../commandLine/jobsElsewhere.ts';
import { partGiven, partOutcome } from '../commandLine/partOutcome.ts';
import type { Outcome, Session } from '../commandLine/runCommand.ts';
import { refuseLoneFlags } from '../commandLine/runOnQueue.ts';
import { figure, percent, table } from '../commandLine/table.ts';

export interface Pair {
  name: string;
  a: DictionaryReference;
  b: DictionaryReference;
}

declare global {
  interface JobCommands {
    compare: typeof run;
  }
}

export const run: JobWork<'compare'> = async (session, given) => {
  refuseLoneFlags(given);
  const part = partGiven(given.part);
  const pairs = await pairsOf(session, given.a, given.b, given.name);
  if (isElsewhere(given)) return compareElsewhere(session, given, pairs);
  const { parseExclusionRule } = await import('../../sae/activations/exclusionRule.ts');
  const { compare, comparePart } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  await session.startBackend();
  const manifests: ComparisonManifest[] = [];
  const nulls = given.chance ? new SharedNulls() : null;
  const optionsOf = (pair: Pair): CompareOptions => ({
    store: session.store,
    ...pair,
    threshold: given.threshold,
    memory: given.memory === undefined ? undefined : bytesOf(given.memory),
    targetGap: given.gap,
    maxTokens: given.activations ? given.maxTokens : 0,
    ...(given.exclude !== undefined && { exclude: parseExclusionRule(given.exclude) }),
    nulls,
    report: session.report,
    signal: session.signal,
  });
  if (part)
    return partOutcome(
      part,
      pairs.map((pair) => () => comparePart(optionsOf(pair), part)),
    );
  for (const pair of pairs) {
    const model = given.swap
      ? await knownModelOfRun(session.store, await finishedRun(session.store, pair.a.run), '--swap')
      : undefined;
    manifests.push(await compare({ ...optionsOf(pair), model }));
    model?.dispose();
  }
  return { document: await comparisonDocument(session, manifests), text: comparisonTable(manifests) };
};

/** What `run` gives, made by workers or a cluster: a job a pair. */
async function compareElsewhere(
  session: Session,
  given: CommandOptionsOf<'compare'>,
  pairs: readonly Pair[],
): Promise<Outcome> {
  const own = pairs.map(({ name, a, b }) => ({ name, options: { name, a, b } }));
  const { results, failure } = await jobsElsewhere(session, 'compare', given, own);
  const manifests = (results as { comparisons: ComparisonManifest[] }[]).flatMap((one) => one.comparisons);
  if (manifests.length === 0) return { document: { comparisons: [] }, text: '', failure };
  return {
    document: await comparisonDocument(session, manifests),
    text: comparisonTable(manifests),
    failure,
  };
}

/** The figures of one comparison, or of several their means, the largest gap and memory, and the total time. */
async function comparisonDocument({ store }: Session, manifests: readonly ComparisonManifest[]) {
  const { queryParquet } = await import('../../sae/store/parquet.ts');
  const curves = await Promise.all(
    manifests.map(({ name }) =>
      queryParquet('SELECT threshold, shared FROM read_parquet($path) ORDER BY threshold', {
        path: store.comparisonCurve(name),
      }),
    ),
  );
  const mean = (of: (manifest: ComparisonManifest, at: number) => number) =>
    manifests.reduce((sum, manifest, at) => sum + of(manifest, at), 0) / manifests.length;
  const largest = (of: (manifest: ComparisonManifest) => number) => Math.max(...manifests.map(of));
  return {
    shared: mean((m) => m.shared),
    threshold: manifests[0].threshold,
    curve: curves[0].map(({ threshold }, i) => ({
      threshold,
      shared: mean((_, at) => Number(curves[at][i].shared)),
    })),
    mmcs: mean((m) => m.mmcs),
    pwMcc: mean((m) => m.pwMcc),
    chance: meanChance(manifests),
    gap: largest((m) => m.gap),
    seconds: manifests.reduce((sum, m) => sum + m.seconds, 0),
    peakRssMb: largest((m) => m.peakRssMb),
    comparisons: manifests,
  };
}

/** Chance beside the means: of random directions with the activations' covariance where that is known of every pair. */
function meanChance(manifests: readonly ComparisonManifest[]) {
  const all = manifests.flatMap(({ chance }) => chance ?? []);
  if (all.length === 0 || all.length < manifests.length) return null;
  const kind = all.every(({ covariance }) => covariance) ? 'covariance' : 'isotropic';
  const mean = (of: (chance: ComparisonChance) => number) =>
    all.reduce((sum, chance) => sum + of(chance), 0) / all.length;
  return {
    null: kind,
    mmcs: mean((c) => (c[kind] ?? c.isotropic).mmcs),
    pwMcc: mean((c) => (c[kind] ?? c.isotropic).pwMcc),
    shared: mean((c) => (c[kind] ?? c.isotropic).shared),
    beyondChance: mean((c) => c.beyond.share),
  };
}

async function pairsOf(
  { store }: Session,
  first: string,
  second: string | undefined,
  name: string | undefined,
): Promise<Pair[]> {
  const pairs =
    second === undefined ? await pairsWithin(store, first) : await pairsBetween(store, first, second);
  if (name === undefined) return pairs;
  if (pairs.length > 1)
    throw new LazyscopeError(
      'bad_input',
      `--name can't name the ${pairs.length} comparisons of '${second === undefined ? first : `${first}' with '${second}`}': leave it out.`,
    );
  return pairs.map((pair) => ({ ...pair, name }));
}

async function pairsWithin(store: StoreLayout, name: string): Promise<Pair[]> {
  const run = await finishedRun(store, name);
  const pairs = seedPairs(run.name, run.config.seeds);
  if (pairs.length === 0)
    throw new LazyscopeError(
      'bad_input',
      `Run '${name}' has one seed only: name a second dictionary as RUN/SEED, or a second run.`,
    );
  return pairs;
}

/** Every pair of a dictionary of the one and a dictionary of the other. */
async function pairsBetween(store: StoreLayout, first: string, second: string): Promise<Pair[]> {
  return everyPair(await dictionariesOf(store, first), await dictionariesOf(store, second));
}

const everyPair = (left: readonly DictionaryReference[], right: readonly DictionaryReference[]): Pair[] =>
  left.flatMap((a) => right.map((b) => ({ name: pairName(a, b), a, b })));

/** Every seed of one run with every seed of another, under the names that comparisons get by themselves. */
export function dictionaryPairs(
  first: { run: string; seeds: readonly number[] },
  second: { run: string; seeds: readonly number[] },
): Pair[] {
  const all = ({ run, seeds }: typeof first) => seeds.map((seed) => ({ run, seed }));
  return everyPair(all(first), all(second));
}

async function dictionariesOf(store: StoreLayout, text: string): Promise<DictionaryReference[]> {
  if (text.includes('/')) {
    const dictionary = dictionaryReference(text);
    seedsOf(await finishedRun(store, dictionary.run), [dictionary.seed]);
    return [dictionary];
  }
  const run = await finishedRun(store, text);
  return run.config.seeds.map((seed) => ({ run: run.name, seed }));
}

export function seedPairs(run: string, seeds: readonly number[]): Pair[] {
  return seeds.flatMap((a, i) =>
    seeds.slice(i + 1).map((b) => ({
      name: pairName({ run, seed: a }, { run, seed: b }),
      a: { run, seed: a },
      b: { run, seed: b },
    })),
  );
}

function pairName(a: DictionaryReference, b: DictionaryReference): string {
  return a.run === b.run ? `${a.run}-${a.seed}-${b.seed}` : `${a.run}-${a.seed}-${b.run}-${b.seed}`;
}

export function comparisonTable(manifests: readonly ComparisonManifest[]): string {
  return table(
    [
      'comparison',
      'latents',
      'shared',
      'by chance',
      'threshold',
      'MMCS',
      'by chance',
      'PW-MCC',
      'by chance',
      'beyond chance',
      'gap',
      'seconds',
    ],
    manifests.map((m) => {
      const chance = m.chance && (m.chance.covariance ?? m.chance.isotropic);
      return [
        m.name,
        m.latents,
        percent(m.shared),
        percent(chance?.shared ?? null),
        figure(m.threshold, 2),
        figure(m.mmcs),
        figure(chance?.mmcs ?? null),
        figure(m.pwMcc),
        figure(chance?.pwMcc ?? null),
        percent(m.chance?.beyond.share ?? null),
        m.gap < 1e-9 ? '0' : `${figure(100 * m.gap, 3)} %`,
        figure(m.seconds, 1),
      ];
    }),
  );
}
