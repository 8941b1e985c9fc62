/** Summaries of the stored comparisons: shared fractions between the seeds of each run. */
import { fixed, percent } from '../../format/number.ts';
import type { ComparisonManifest } from '../../../sae/spec/manifests/comparison.ts';

export interface SharedHeadline {
  architecture: string;
  run: string;
  /** The shared fraction of each compared pair of this run's seeds. */
  pairs: { comparison: string; seeds: [number, number]; shared: number }[];
  mean: number;
  low: number;
  high: number;
  /** The most that random dictionaries of this shape would share; null where a comparison was made without chance. */
  byChance: number | null;
  mmcs: number;
  /** MMCS of such dictionaries; null in the same case. */
  mmcsByChance: number | null;
  threshold: number;
  latents: number;
}

/** Comparisons between seeds of the same run, grouped by run, the most shared run first. */
export function sharedHeadlines(comparisons: readonly ComparisonManifest[]): SharedHeadline[] {
  const groups = new Map<string, ComparisonManifest[]>();
  for (const comparison of comparisons)
    if (comparison.a.run === comparison.b.run)
      groups.set(comparison.a.run, [...(groups.get(comparison.a.run) ?? []), comparison]);
  return [...groups]
    .map(([run, group]): SharedHeadline => {
      const shares = group.map((comparison) => comparison.shared);
      return {
        run,
        architecture: group[0]?.architectures[0] ?? '',
        pairs: group
          .map((comparison): SharedHeadline['pairs'][number] => ({
            comparison: comparison.name,
            seeds: [comparison.a.seed, comparison.b.seed],
            shared: comparison.shared,
          }))
          .sort((a, b) => a.seeds[0] - b.seeds[0] || a.seeds[1] - b.seeds[1]),
        mean: mean(shares),
        low: Math.min(...shares),
        high: Math.max(...shares),
        byChance: byChance(group, 'shared'),
        mmcs: mean(group.map((comparison) => comparison.mmcs)),
        mmcsByChance: byChance(group, 'mmcs'),
        threshold: group[0]?.threshold ?? 0.7,
        latents: group[0]?.latents ?? 0,
      };
    })
    .sort((a, b) => b.mean - a.mean);
}

function byChance(group: readonly ComparisonManifest[], figure: 'shared' | 'mmcs'): number | null {
  const known = group.flatMap(({ chance }) => (chance?.covariance ?? chance?.isotropic)?.[figure] ?? []);
  return known.length === group.length ? mean(known) : null;
}

/** What all of these runs say in one sentence: how many features come back, and how many would by chance. */
export function sharedAnswer(headlines: readonly SharedHeadline[]): string {
  const means = headlines.map(({ mean }) => mean);
  const [least, most] = [Math.min(...means), Math.max(...means)].map((share) => percent(share));
  const found =
    least === most
      ? `${most} of the features come back in another seed`
      : `${least} to ${most} of the features, depending on the run, come back in another seed`;
  const chances = headlines.map(({ byChance }) => byChance);
  if (!chances.every((chance) => chance !== null)) return `${found}.`;
  return `${found}; by chance ${chanceInWords(Math.max(...chances))} would.`;
}

/** The share that chance explains at most; where it is next to nothing the number says so by itself. */
export function chanceInWords(share: number): string {
  const said = percent(share);
  return said.startsWith('<') ? said : `at most ${said}`;
}

/** MMCS beside what random dictionaries of the shape reach, and in plain words where that is more. */
export function mmcsBesideChance({ mmcs, mmcsByChance }: SharedHeadline): string {
  if (mmcsByChance === null) return `MMCS ${fixed(mmcs, 2)}`;
  const chance = fixed(mmcsByChance, 2);
  return `MMCS ${fixed(mmcs, 2)}, ${mmcs < mmcsByChance ? `below chance (${chance})` : `chance ${chance}`}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
