/** From what was measured of each seed to the figures of the report: means over seeds, intervals over contexts, ranges over draws. */
import { bootstrap, type Interval } from '../../../evaluation/bootstrap.ts';
import type { ContextLosses } from '../../../evaluation/contextLosses.ts';
import type { Worth } from '../../../spec/reproducibility/worth.ts';
import type { GroupErrors } from './groupErrors.ts';

export interface SeedWorth {
  readonly tokens: number;
  readonly lossTokens: number;
  /** By group. */
  readonly members: readonly { latents: number; stability: number; density: number }[];
  readonly errors: GroupErrors;
  /** Losses without any latent, under `all`, and of the model as it is, under `clean`. */
  readonly everything: ContextLosses<string>;
  /** By way to form groups, the measured one first: losses under `without 0`, `only 0`, … */
  readonly losses: readonly ContextLosses<string>[];
  readonly sampled: readonly { estimated: number; measured: number }[];
}

type Group = Worth['groups'][number];

/** Every seed counts alike. Seeds whose groups are fewer, because less fires, leave out the last ones of the others. */
export function summariseWorth(seeds: readonly SeedWorth[]): Omit<Worth, 'attribution' | 'seconds'> {
  const [first] = seeds;
  const draws = first.losses.length - 1;
  const groups = Math.min(...seeds.map(({ members }) => members.length));
  const over = (of: (seed: SeedWorth) => number) =>
    seeds.reduce((sum, seed) => sum + of(seed), 0) / seeds.length;
  const clean = (seed: SeedWorth) => meanOf(seed.everything.crossEntropy.clean);
  return {
    tokens: first.tokens,
    lossTokens: first.lossTokens,
    draws,
    coverage: (draws - 1) / (draws + 1),
    whole: {
      fvu: over(({ errors }) => total(errors.whole) / total(errors.variance)),
      fvuWithout: over(({ errors }) => total(errors.none) / total(errors.variance)),
      crossEntropy: over(clean),
      crossEntropyChange: over((seed) => meanOf(seed.everything.crossEntropy.all) - clean(seed)),
      divergence: over((seed) => meanOf(seed.everything.divergence.all!)),
    },
    groups: Array.from({ length: groups }, (_, group): Group => ({
      latents: over(({ members }) => members[group].latents),
      stability: over(({ members }) => members[group].stability),
      density: over(({ members }) => members[group].density),
      ablated: changesOf(seeds, group, 'ablated'),
      kept: changesOf(seeds, group, 'kept'),
    })),
  };
}

function changesOf(seeds: readonly SeedWorth[], group: number, what: 'ablated' | 'kept'): Group['ablated'] {
  const [first] = seeds;
  const { clean } = first.everything.crossEntropy;
  // One context drawn again and again says nothing of how others would differ.
  const several = (contexts: Float64Array) => contexts.length > 1;
  const name = `${what === 'ablated' ? 'without' : 'only'} ${group}`;
  const ways = first.losses.map((_, way) => way);
  const mean = (of: (seed: SeedWorth) => number) =>
    seeds.reduce((sum, seed) => sum + of(seed), 0) / seeds.length;
  const fvu = ways.map((way) =>
    mean(({ errors }) => (errors[what][way][group] - total(errors.whole)) / total(errors.variance)),
  );
  const crossEntropy = ways.map((way) =>
    mean(({ losses }) => meanOf(losses[way].crossEntropy[name]) - meanOf(losses[way].crossEntropy.clean)),
  );
  const divergence = ways.map((way) => mean(({ losses }) => meanOf(losses[way].divergence[name]!)));
  const byContext = (of: (seed: SeedWorth) => Float64Array) => {
    const columns = seeds.map(of);
    return columns[0].map((_, c) => columns.reduce((sum, column) => sum + column[c], 0) / seeds.length);
  };
  const errorsOf = ({ errors }: SeedWorth) =>
    (what === 'ablated' ? errors.ablatedByContext : errors.keptByContext)[group];
  const ofErrors = bootstrap(
    {
      changed: byContext((seed) => errorsOf(seed).map((sum, c) => sum - seed.errors.whole[c])),
      variance: byContext(({ errors }) => errors.variance),
    },
    ({ changed, variance }) => ({ fvu: changed / variance }),
  );
  const ofLosses = bootstrap(
    {
      changed: byContext(({ losses: [own] }) =>
        own.crossEntropy[name].map((value, c) => value - own.crossEntropy.clean[c]),
      ),
      diverged: byContext(({ losses: [own] }) => own.divergence[name]!),
    },
    ({ changed, diverged }) => ({ crossEntropy: changed, divergence: diverged }),
  );
  return {
    fvu: change(fvu, several(first.errors.variance) ? ofErrors.fvu : null),
    crossEntropy: change(crossEntropy, several(clean) ? ofLosses.crossEntropy : null),
    divergence: change(divergence, several(clean) ? ofLosses.divergence : null),
  };
}

function change([own, ...drawn]: readonly number[], interval: Interval | null): Group['ablated']['fvu'] {
  return {
    change: own,
    interval,
    control: drawn.reduce((sum, value) => sum + value, 0) / drawn.length,
    least: Math.min(...drawn),
    most: Math.max(...drawn),
  };
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: Float64Array) => total(values) / values.length;
