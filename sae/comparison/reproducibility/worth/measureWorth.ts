/** What stability is worth (METHODS.md §9): groups of latents by stability, taken out or kept alone, beside random groups like them. */
import { oneHook, openDictionary } from '../../../evaluation/openDictionary.ts';
import { LazyscopeError } from '../../../errors.ts';
import type { LanguageModel } from '../../../models/languageModel.ts';
import { predictsNextToken } from '../../../models/predictsNextToken.ts';
import { Random } from '../../../numerics/random.ts';
import { pearson, spearman } from '../../../numerics/correlation.ts';
import { silent, type Report } from '../../../progress.ts';
import { worthDefaults } from '../../../spec/comparisonDefaults.ts';
import type { Worth } from '../../../spec/reproducibility/worth.ts';
import { worthTable } from '../../../spec/tables/worth.ts';
import type { StoreLayout } from '../../../store/layout.ts';
import { writeParquet } from '../../../store/parquet.ts';
import { attributions } from './attributions.ts';
import { groupErrors } from './groupErrors.ts';
import { heldOutCodes } from './heldOutCodes.ts';
import { lossesWithout, type LossPlace } from './lossesWithout.ts';
import { exchangedWithin, matchedStrata, stabilityGroups } from './stabilityGroups.ts';
import { surveyLatents } from './surveyLatents.ts';
import { summariseWorth, type SeedWorth } from './summariseWorth.ts';

export interface WorthOptions {
  store: StoreLayout;
  run: string;
  /** By seed, [latents]: the share of other seeds in which a latent comes back, and how near its counterparts are on average. */
  stability: ReadonlyMap<number, { returns: Float64Array; nearness: Float64Array }>;
  /** The model that the run's capture was made with. */
  model: LanguageModel;
  /** Held-out tokens to reconstruct, and tokens to run the model on. */
  maxTokens?: number | undefined;
  lossTokens?: number | undefined;
  /** Random groupings. */
  draws?: number | undefined;
  /** Latents of all seeds together whose ablation is measured one by one. */
  sample?: number | undefined;
  report?: Report;
  signal?: AbortSignal | undefined;
}

/**
 * Writes a table of latents for each seed. Throws 'bad_input' for an encoder, for fewer than three draws, and where no latent fires on the
 * held-out rows; and as openDictionary does.
 */
export async function measureWorth(options: WorthOptions): Promise<Worth> {
  const started = performance.now();
  const { stability, model, draws = worthDefaults.draws } = options;
  predictsNextToken(model, 'what a feature is worth to its predictions can not be measured');
  if (!(Number.isInteger(draws) && draws >= 3))
    throw new LazyscopeError('bad_input', `Random groups are drawn at least 3 times, but got ${draws}.`);
  const seeds: SeedWorth[] = [];
  for (const seed of stability.keys()) seeds.push(await worthOfSeed(seed, { ...options, draws }));
  const sampled = seeds.flatMap((own) => own.sampled);
  const [estimated, measured] = [sampled.map((one) => one.estimated), sampled.map((one) => one.measured)];
  return {
    ...summariseWorth(seeds),
    attribution: {
      latents: sampled.length,
      pearson: pearson(estimated, measured),
      spearman: spearman(estimated, measured),
    },
    seconds: (performance.now() - started) / 1000,
  };
}

async function worthOfSeed(
  seed: number,
  {
    store,
    run,
    stability,
    model,
    draws,
    report = silent,
    signal,
    ...asked
  }: WorthOptions & { draws: number },
): Promise<SeedWorth> {
  const opened = await openDictionary(store, run, seed, model);
  const { capture, rows, output, autoencoder, dispose } = opened;
  try {
    const hook = oneHook(opened.hook, run);
    if (output !== hook)
      throw new LazyscopeError(
        'bad_input',
        `Run '${run}' is of transcoders, whose latents aren't part of what they read: measure without --worth.`,
      );
    const { contextLength, firstPosition, contexts, heldOutContexts } = capture.manifest;
    const { latents, d, wDec } = autoencoder;
    const { returns, nearness } = stability.get(seed)!;
    const tokens = Math.min(rows.heldOutRows, asked.maxTokens ?? worthDefaults.maxTokens);
    const dictionary = { autoencoder, rows, hook };
    const staged = (what: string) => ({ stage: `worth, seed ${seed}: ${what}`, report, signal });

    const survey = await surveyLatents(heldOutCodes(dictionary, tokens, staged('firings')), autoencoder);
    const random = Random.fromSeed(seed, 'groups of like density and strength');
    const own = stabilityGroups(returns, nearness, survey, random);
    const groups = 1 + own.reduce((most, group) => Math.max(most, group), -1);
    if (groups === 0)
      throw new LazyscopeError(
        'bad_input',
        `No latent of '${run}' seed ${seed} fires on ${tokens} held-out tokens: measure on more tokens.`,
      );
    const strata = matchedStrata(survey);
    const ways = [own, ...Array.from({ length: draws }, () => exchangedWithin(strata, own, random))];
    const firstContext = contexts - heldOutContexts;
    const errors = await groupErrors(heldOutCodes(dictionary, tokens, staged('reconstruction')), {
      wDec,
      d,
      mean: survey.mean,
      groups,
      ways,
      contextOf: (row) => rows.rowToken(rows.trainRows + row).context - firstContext,
      contexts: 1 + rows.rowToken(rows.trainRows + tokens - 1).context - firstContext,
    });

    const count = Math.min(
      heldOutContexts,
      Math.max(1, Math.ceil((asked.lossTokens ?? worthDefaults.lossTokens) / contextLength)),
    );
    const predictions = contextLength - 1 - firstPosition;
    const place: LossPlace = {
      model,
      hook,
      tokens: capture.tokens.subarray(firstContext * contextLength, (firstContext + count) * contextLength),
      contextLength,
      firstPosition,
      keepsOwn:
        rows.excluded.length === 0 ? null : rows.excludedHeldOut.subarray(0, count * capture.rowsPerContext),
      signal,
    };
    const told = (what: string, total: number, unit: string) => (done: number) =>
      report({ ...staged(what), done, total, unit });
    const everything = await lossesWithout(autoencoder, new Map([['all', new Uint8Array(latents).fill(1)]]), {
      place,
      diverging: true,
    });
    const losses = [];
    for (const [way, labels] of ways.entries()) {
      losses.push(await lossesWithout(autoencoder, groupSets(labels, groups), { place, diverging: true }));
      told('losses', ways.length, 'groupings')(way + 1);
    }

    const attributed = await attributions(autoencoder, {
      ...place,
      progress: told('attribution', count, 'contexts'),
    });
    const firing = [...attributed.firings.keys()].filter((latent) => attributed.firings[latent] > 0);
    const perSeed = Math.ceil((asked.sample ?? worthDefaults.sample) / stability.size);
    const sample = Array.from(
      random.permutation(firing.length).subarray(0, perSeed),
      (at) => firing[at],
    ).sort((i, j) => i - j);
    const single = await lossesWithout(
      autoencoder,
      new Map(sample.map((latent) => [String(latent), only(latents, latent)])),
      { place, diverging: false, progress: told('ablation', sample.length, 'features') },
    );
    const clean = meanOf(everything.crossEntropy.clean);
    const ablation = new Float64Array(latents).fill(NaN);
    for (const latent of sample) ablation[latent] = meanOf(single.crossEntropy[latent]) - clean;
    const attribution = attributed.loss.map((sum, latent) =>
      attributed.firings[latent] > 0 ? sum / (count * predictions) : NaN,
    );
    const variance = errors.variance.reduce((sum, value) => sum + value, 0);
    await writeParquet(store.worthOfSeed(run, seed), worthTable, {
      latent: Int32Array.from({ length: latents }, (_, i) => i),
      group: Int32Array.from(own, (group) => group + 1),
      firings: Int32Array.from(survey.firings),
      fvuChange: survey.errorChange.map((sum, i) => (survey.firings[i] > 0 ? sum / variance : NaN)),
      attribution,
      ablation,
    });
    return {
      tokens,
      lossTokens: count * predictions,
      members: groupMembers(own, groups, { returns, firings: survey.firings, tokens }),
      errors,
      everything,
      losses,
      sampled: sample.map((latent) => ({ estimated: attribution[latent], measured: ablation[latent] })),
    };
  } finally {
    dispose();
  }
}

/** What is taken out to leave each group out and to keep it alone, under the names that summariseWorth reads. */
function groupSets(labels: Int8Array, groups: number): Map<string, Uint8Array> {
  return new Map(
    Array.from({ length: groups }, (_, group) => group).flatMap((group) => [
      [`without ${group}`, Uint8Array.from(labels, (label) => Number(label === group))] as const,
      [`only ${group}`, Uint8Array.from(labels, (label) => Number(label !== group))] as const,
    ]),
  );
}

function only(latents: number, latent: number): Uint8Array {
  const set = new Uint8Array(latents);
  set[latent] = 1;
  return set;
}

function groupMembers(
  labels: Int8Array,
  groups: number,
  { returns, firings, tokens }: { returns: Float64Array; firings: Float64Array; tokens: number },
): SeedWorth['members'] {
  return Array.from({ length: groups }, (_, group) => {
    const members = [...labels.keys()].filter((latent) => labels[latent] === group);
    const mean = (values: Float64Array) =>
      members.reduce((sum, latent) => sum + values[latent], 0) / members.length;
    return { latents: members.length, stability: mean(returns), density: mean(firings) / tokens };
  });
}

const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
