/** `lazyscope reproducibility`: how likely each feature of a run is to come back in another seed, and how likely by chance. */
import { existsSync } from 'node:fs';
import type { Reproducibility } from '../../sae/spec/manifests/reproducibility.ts';
import { finishedRun } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';
import { seedPairs } from './compare.ts';

declare global {
  interface JobCommands {
    reproducibility: typeof run;
  }
}

export const run: JobWork<'reproducibility'> = async ({ store, report, signal, startBackend }, given) => {
  const { name, config } = await finishedRun(store, given.run);
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const { measureReproducibility } =
    await import('../../sae/comparison/reproducibility/measureReproducibility.ts');
  await startBackend();
  const missing = seedPairs(name, config.seeds).filter(
    (pair) => !existsSync(store.comparisonManifest(pair.name)),
  );
  const nulls = new SharedNulls();
  for (const pair of missing)
    await compare({ store, ...pair, threshold: given.threshold, nulls, report, signal });
  const document = await measureReproducibility({
    store,
    run: name,
    threshold: given.threshold,
    report,
    signal,
  });
  return { document, text: reproducibilityText(document) };
};

/** The answer first, then the seeds, the number of seeds, and the controls. */
export function reproducibilityText(found: Reproducibility): string {
  const { every, any, mean, beyond, learning, controls, seeds } = found;
  const others = seeds.length - 1;
  const where =
    others === 1
      ? 'in the other seed'
      : others === 2
        ? 'in both other seeds'
        : `in every one of ${others} other seeds`;
  return [
    `${percent(every.share)} of the features came back ${where} (95 % interval ${percent(every.low)} to ${percent(every.high)}), at most ${smallPercent(every.chance)} would by chance; both cosines ≥ ${found.threshold}.`,
    `${percent(any.share)} came back in at least one (${smallPercent(any.chance)} by chance); on average in ${percent(mean.share)} of the other seeds (${smallPercent(mean.chance)}); ${percent(beyond.share)} came back more often than chance explains, of which ${percent(beyond.q)} are expected to be false.`,
    table(
      ['seed', 'in every other', 'in at least one', 'mean'],
      found.bySeed.map((own) => [own.seed, percent(own.every), percent(own.any), percent(own.mean)]),
    ),
    table(
      ['seeds', 'features in all of them', 'by the fitted law'],
      learning.points
        .filter(({ observed, seeds: n }) => observed !== null || n % 5 === 0)
        .map(({ seeds: n, observed, fitted }) => [n, percent(observed), percent(fitted)]),
    ),
    learning.law
      ? `Fitted law: the probability of coming back ~ Beta(${figure(learning.law.a)}, ${figure(learning.law.b)}). ${learning.enough === null ? 'Even with twenty seeds one more changes' : `From ${learning.enough} seeds on one more changes`} that share by ${learning.enough === null ? 'a percentage point or more' : 'less than one percentage point'}.`
      : 'No law is fitted: it takes three seeds to tell how probabilities are spread, and features that differ.',
    controls
      ? [
          `Density and strength explain ${percent(controls.explained)} of the variance of stability.`,
          ...controls.differences.map(
            ({ property, stable, control, low, high }) =>
              `${property}: ${figure(stable)} in ${controls.pairs} features of every seed, ${figure(control)} in as many of like density and strength that no seed shares (95 % interval of the difference ${figure(low)} to ${figure(high)}).`,
          ),
        ].join('\n')
      : `Density and strength are not known: index the run with 'lazyscope index ${found.run}' for matched controls.`,
  ].join('\n\n');
}

/** Small shares keep two figures. */
const smallPercent = (share: number) =>
  share > 0 && share < 0.001 ? `${Number((100 * share).toPrecision(2))} %` : percent(share);
