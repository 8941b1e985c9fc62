/** What the reproducibility study keeps of a run: small enough for the repository, and all that its tables and plots show. */
import { settingOf } from '../../sae/spec/architectures/architectures.ts';
import type { ComparisonChance } from '../../sae/spec/manifests/comparison.ts';
import type { Reproducibility } from '../../sae/spec/manifests/reproducibility.ts';
import type { Subspaces } from '../../sae/spec/reproducibility/subspaces.ts';
import type { StudyRun } from './studyRuns.ts';

/** Of the seeds or of the pairs of seeds. */
export interface Spread {
  mean: number;
  low: number;
  high: number;
}

/** A figure of a pair of seeds beside what random directions with the covariance of the activations have. */
export interface BesideChance extends Spread {
  chance: number;
}

export interface SharedAt {
  threshold: number;
  shared: number;
}

export interface ReproducibilityRow {
  run: string;
  text: string;
  hook: string;
  architecture: string;
  width: number;
  tokens: number;
  /** k or the target of L0. */
  sparsity: number;
  seeds: number;
  /** Held-out tokens that were reconstructed, and predictions that cross-entropies are means of. */
  evaluated: number;
  predicted: number;
  /** Over seeds. */
  l0: Spread;
  fvu: Spread;
  ceRecovered: Spread;
  dead: Spread;
  /** Over pairs of seeds; `beyond` is the share of latents nearer to their counterpart than chance explains. */
  shared: BesideChance;
  /** The shared latents at other thresholds: means over pairs. */
  curve: readonly SharedAt[];
  decoderAlone: Spread;
  encoderAlone: Spread;
  mmcs: BesideChance & { rotated: number | null };
  pwMcc: BesideChance;
  beyond: Spread;
  /** What is kept of reproducibility.json; null until it is measured. */
  reproducibility: KeptReproducibility | null;
}

/** A run of which it was measured what comes back. */
export interface MeasuredRow extends ReproducibilityRow {
  reproducibility: KeptReproducibility;
}

export const isMeasured = (row: ReproducibilityRow): row is MeasuredRow => row.reproducibility !== null;

/** The block after or in which a row's activations were read. */
export const blockOf = ({ hook }: ReproducibilityRow) => Number(/^blocks\.(\d+)\./.exec(hook)?.[1]);

/** reproducibility.json of a run without what a table can't show. */
export type KeptReproducibility = Pick<
  Reproducibility,
  'histogram' | 'every' | 'any' | 'mean' | 'beyond' | 'learning' | 'null' | 'worth'
> & {
  subspaces:
    | (Omit<Subspaces, 'cosines' | 'cosinesByChance' | 'clusters'> & {
        clusters: Omit<Subspaces['clusters'], 'largest'>;
      })
    | null;
};

/** Throws where a comparison has no chance beside it or a figure is undefined: a study shows no number without them. */
export function reproducibilityRow(
  { name, config, evaluations, comparisons }: StudyRun,
  { text, found, curve }: { text: string; found: Reproducibility | null; curve: readonly SharedAt[] },
): ReproducibilityRow {
  const chanceOf = (of: (chance: NonNullable<ComparisonChance['covariance']>) => number) =>
    meanOf(
      comparisons.map(({ name: pair, chance }) => {
        if (!chance?.covariance)
          throw new Error(`Comparison '${pair}' has no chance with the activations' covariance.`);
        return of(chance.covariance);
      }),
    );
  const rotations = comparisons.flatMap(({ chance }) => chance?.rotation?.mmcs ?? []);
  return {
    run: name,
    text,
    hook: config.hook,
    architecture: config.architecture,
    width: config.width,
    tokens: config.tokens,
    sparsity: defined(settingOf(config, 'k') ?? settingOf(config, 'targetL0'), `the sparsity of '${name}'`),
    seeds: config.seeds.length,
    evaluated: evaluations[0].tokens,
    predicted: defined(evaluations[0].lossTokens, `predictions of '${name}'`),
    l0: spreadOf(evaluations.map(({ l0 }) => l0)),
    fvu: spreadOf(evaluations.map(({ fvu }) => defined(fvu, `FVU of '${name}'`))),
    ceRecovered: spreadOf(
      evaluations.map(({ ceRecovered }) => defined(ceRecovered, `cross-entropy recovered of '${name}'`)),
    ),
    dead: spreadOf(evaluations.map(({ deadFraction }) => deadFraction)),
    shared: { ...spreadOf(comparisons.map(({ shared }) => shared)), chance: chanceOf((c) => c.shared) },
    curve,
    decoderAlone: spreadOf(comparisons.map(({ sharedDecoder }) => sharedDecoder)),
    encoderAlone: spreadOf(comparisons.map(({ sharedEncoder }) => sharedEncoder)),
    mmcs: {
      ...spreadOf(comparisons.map(({ mmcs }) => mmcs)),
      chance: chanceOf((c) => c.mmcs),
      rotated: rotations.length === comparisons.length ? meanOf(rotations) : null,
    },
    pwMcc: { ...spreadOf(comparisons.map(({ pwMcc }) => pwMcc)), chance: chanceOf((c) => c.pwMcc) },
    beyond: spreadOf(
      comparisons.map(({ name: pair, chance }) => defined(chance?.beyond.share, `chance of '${pair}'`)),
    ),
    reproducibility: found && kept(found),
  };
}

function kept(found: Reproducibility): KeptReproducibility {
  return {
    histogram: found.histogram,
    every: found.every,
    any: found.any,
    mean: found.mean,
    beyond: found.beyond,
    learning: found.learning,
    null: found.null,
    ...(found.worth && { worth: found.worth }),
    subspaces: found.subspaces ? withoutLists(found.subspaces) : null,
  };
}

function withoutLists(subspaces: Subspaces): KeptReproducibility['subspaces'] {
  const { seeds, rank, affinity, found, clusters } = subspaces;
  const { latents, count, excessByChance, found: clustersFound, latentsFound } = clusters;
  return {
    null: subspaces.null,
    seeds,
    rank,
    affinity,
    found,
    clusters: { latents, count, excessByChance, found: clustersFound, latentsFound },
  };
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

export function spreadOf(values: readonly number[]): Spread {
  return { mean: meanOf(values), low: Math.min(...values), high: Math.max(...values) };
}

function defined<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined)
    throw new Error(`The study needs ${what}, which is not defined.`);
  return value;
}
