/** `lazyscope reproducibility`: how likely each feature of a run is to come back in another seed, and how likely by chance. */
import { existsSync } from 'node:fs';
import type { Reproducibility } from '../../sae/spec/manifests/reproducibility.ts';
import type { Subspaces } from '../../sae/spec/reproducibility/subspaces.ts';
import type { Worth } from '../../sae/spec/reproducibility/worth.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import { finishedRun, knownModelOfRun } from '../commandLine/dictionaries.ts';
import type { JobWork } from '../commandLine/jobCommand.ts';
import { figure, percent, table } from '../commandLine/table.ts';
import { seedPairs } from './compare.ts';

declare global {
  interface JobCommands {
    reproducibility: typeof run;
  }
}

export const run: JobWork<'reproducibility'> = async ({ store, report, signal, startBackend }, given) => {
  const { maxTokens, lossTokens, draws } = given;
  if (!given.worth && [maxTokens, lossTokens, draws].some((value) => value !== undefined))
    throw new LazyscopeError(
      'bad_input',
      'Numbers of tokens and of draws are for what stability is worth: give --worth with them, or leave them out.',
    );
  const manifest = await finishedRun(store, given.run);
  const { name, config } = manifest;
  const { compare } = await import('../../sae/comparison/compare.ts');
  const { SharedNulls } = await import('../../sae/comparison/chance/comparisonChance.ts');
  const { measureReproducibility } =
    await import('../../sae/comparison/reproducibility/measureReproducibility.ts');
  const { relatedReports } = await import('../../sae/comparison/reproducibility/relatedReports.ts');
  await startBackend();
  const missing = seedPairs(name, config.seeds).filter(
    (pair) => !existsSync(store.comparisonManifest(pair.name)),
  );
  const nulls = new SharedNulls();
  for (const pair of missing)
    await compare({ store, ...pair, threshold: given.threshold, nulls, report, signal });
  const model = given.worth ? await knownModelOfRun(store, manifest, '--worth') : undefined;
  try {
    const document = await measureReproducibility({
      store,
      run: name,
      threshold: given.threshold,
      worth: model && { model, maxTokens, lossTokens, draws },
      report,
      signal,
    });
    return {
      document: { ...document, ...(await relatedReports(store, document)) },
      text: reproducibilityText(document),
    };
  } finally {
    model?.dispose();
  }
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
    `${percent(every.share)} of the features came back ${where} (95 % interval ${percent(every.low)} to ${percent(every.high)}), ${atMost(every.chance)} would by chance; both cosines ≥ ${found.threshold}.`,
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
              `${names[property] ?? property}: ${figure(stable)} in ${controls.pairs} features of every seed, ${figure(control)} in as many of like density and strength that no seed shares (95 % interval of the difference ${figure(low)} to ${figure(high)}).`,
          ),
        ].join('\n')
      : `Density and strength are not known: index the run with 'lazyscope index ${found.run}' for matched controls.`,
    ...(found.subspaces ? [subspacesText(found.subspaces)] : []),
    ...(found.worth ? [worthText(found.worth)] : []),
  ].join('\n\n');
}

function subspacesText({ seeds, rank, affinity, found, clusters }: Subspaces): string {
  const latents = seeds.reduce((sum, own) => sum + own.latents, 0);
  const fill = seeds.map((own) => figure(own.participationRatio, 1)).join(', ');
  return [
    `${latents} features come back in fewer than half of the other seeds. They fill ${fill} dimensions (participation ratio, by seed); the leading ${rank} of two seeds have an affinity of ${figure(affinity.seeds, 2)} (random directions ${figure(affinity.chance, 2)}, random spaces ${figure(affinity.random, 2)}${affinity.components === null ? '' : `; with the activations' principal components ${figure(affinity.components, 2)}`}).`,
    `Not found again but its subspace is: ${percent(found.share)} of them lie in the other seeds' space more than chance explains, with ${percent(found.inside)} of their squared norm inside on average (${percent(found.insideByChance)} by chance). ${clusters.found} of ${clusters.count} clusters, with ${clusters.latentsFound} of ${clusters.latents} features, are found again as spaces.`,
  ].join('\n');
}

/** A line a group: what it costs to take it out and to keep it alone, beside random groups like it. */
function worthText({ groups, whole, draws, coverage, attribution, lossTokens }: Worth): string {
  const small = (value: number) => (value === 0 ? '0' : value.toPrecision(2));
  const beside = ({ change, least, most }: Worth['groups'][number]['ablated']['fvu']) => [
    small(change),
    `${small(least)} to ${small(most)}`,
  ];
  return [
    `What stability is worth: tenths of the features by how surely they come back, set to 0 and kept alone, on ${lossTokens} predicted tokens. Beside each figure the range of ${draws} random groups of like density and strength, in which a further one would be with probability ${percent(coverage, null)}. The whole dictionary has FVU ${figure(whole.fvu)}; without all features the loss grows by ${small(whole.crossEntropyChange)} nats.`,
    table(
      [
        'group',
        'stability',
        'FVU +',
        'like it',
        'CE +',
        'like it',
        'KL',
        'like it',
        'alone: FVU +',
        'like it',
        'CE +',
        'like it',
      ],
      groups.map(({ stability, ablated, kept }, at) => [
        at + 1,
        percent(stability),
        ...beside(ablated.fvu),
        ...beside(ablated.crossEntropy),
        ...beside(ablated.divergence),
        ...beside(kept.fvu),
        ...beside(kept.crossEntropy),
      ]),
    ),
    `Attribution by the gradient and measured change of the loss of ${attribution.latents} features agree with correlation ${figure(attribution.pearson, 2)} (of ranks ${figure(attribution.spearman, 2)}).`,
  ].join('\n\n');
}

/** Small shares keep two figures. */
export const atMost = (share: number) =>
  share > 0 && share < 1e-5 ? smallPercent(share) : `at most ${smallPercent(share)}`;
const smallPercent = (share: number) => {
  if (share > 0 && share < 1e-5) return 'less than 0.001 %';
  return share > 0 && share < 0.001 ? `${Number((100 * share).toPrecision(2))} %` : percent(share);
};
const names: Readonly<Record<string, string>> = {
  encoderDecoderCosine: 'cosine of encoder and decoder row',
  topTokenShare: 'share of its commonest token',
};
