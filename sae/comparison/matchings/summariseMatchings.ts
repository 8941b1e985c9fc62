/** From the judged pairs of seeds to the figures of the report: means over pairs, intervals over seeds. */
import type { Matchings } from '../../spec/manifests/matchings.ts';
import { matchingMethodNames, type MatchingMethod } from '../../spec/matchingMethods.ts';
import { bootstrapSeeds } from './bootstrapSeeds.ts';
import { negatives, thirds, type JudgedLatent, type JudgedPair, type Negative } from './judgePair.ts';
import { qualityCoverage, type QualityCoverage } from './qualityCoverage.ts';

export interface SeedPair {
  readonly a: number;
  readonly b: number;
  readonly judged: JudgedPair;
}

type Summary = Pick<Matchings, 'judged' | 'methods' | 'negatives'>;

export function summariseMatchings(
  seeds: readonly number[],
  pairs: readonly SeedPair[],
  { tokens, predictions }: { tokens: number; predictions: boolean },
): Summary {
  const figures = new Map<MatchingMethod, PairFigures[]>(
    matchingMethodNames.map((method) => [method, pairs.map(({ judged }) => figuresOf(judged, method))]),
  );
  const overSeeds = (values: readonly number[]) => ({
    value: meanOf(values),
    interval: bootstrapSeeds(
      seeds,
      pairs.map(({ a, b }, at) => ({ a, b, value: values[at] })),
    ),
  });
  const reference = figures.get('assignment')!;
  const densities = stratumDensities(pairs, tokens);
  const judgedOf = (own: readonly PairFigures[], part: 'reconstruction' | 'predictions') => ({
    area: overSeeds(own.map((pair) => pair[part].area)),
    beyondAssignment: overSeeds(own.map((pair, at) => pair[part].area - reference[at][part].area)),
    recovered: meanOf(own.map((pair) => pair[part].mean)),
    strata: densities.map((density, at) => ({
      density,
      quality: finite(meanOf(own.map((pair) => pair.strata[part][at]).filter(Number.isFinite))),
    })),
    curve: own[0][part].curve.length
      ? Array.from(own[0][part].curve, (_, at) => meanOf(own.map((pair) => pair[part].curve[at])))
      : [],
  });
  return {
    judged: meanOf(pairs.map(({ judged }) => judged.live.length)),
    methods: matchingMethodNames.map((method) => {
      const own = figures.get(method)!;
      const prints = own.map(({ fingerprint }) => fingerprint);
      return {
        method,
        coverage: meanOf(own.map(({ reconstruction }) => reconstruction.matched)),
        reconstruction: {
          ...judgedOf(own, 'reconstruction'),
          recoveredMatched: finite(
            meanOf(own.map(({ reconstruction }) => reconstruction.meanMatched).filter(Number.isFinite)),
          ),
        },
        predictions:
          predictions && own.every((pair) => Number.isFinite(pair.predictions.area))
            ? {
                ...judgedOf(own, 'predictions'),
                crossEntropy: recoveredLoss(pairs, method),
                fingerprint: prints.every(Number.isFinite) ? overSeeds(prints) : null,
                beatsSecondBest: beats(pairs, method, 'secondBest'),
                beatsLikeActivity: beats(pairs, method, 'likeActivity'),
              }
            : null,
      };
    }),
    negatives: negatives.map((kind) => negativeFigures(pairs, kind)),
  };
}

interface PairFigures {
  readonly reconstruction: QualityCoverage;
  readonly predictions: QualityCoverage;
  readonly strata: Readonly<Record<'reconstruction' | 'predictions', readonly number[]>>;
  /** Mean cosine of fingerprints; NaN where no latent that was looked at has a counterpart. */
  readonly fingerprint: number;
}

function figuresOf(
  { matchings, live, substitution, sampled }: JudgedPair,
  method: MatchingMethod,
): PairFigures {
  const matching = matchings[method];
  const { match } = matching;
  const error = (latent: number) => substitution.recovered(latent, match[latent]);
  const results = new Map(sampled.map((one) => [one.latent, one]));
  // A latent whose absence the model does not notice at all has nothing to recover.
  const noticed = sampled.filter(({ result }) => result.ablated.divergence > 0).map(({ latent }) => latent);
  const prediction = (latent: number) => recoveredPrediction(results.get(latent)!, match[latent]);
  const matched = (latent: number) => match[latent] >= 0;
  const mean = (latents: readonly number[], of: (latent: number) => number) =>
    meanOf(latents.map((latent) => (matched(latent) ? of(latent) : 0)));
  return {
    reconstruction: qualityCoverage(live, matching, error),
    predictions: qualityCoverage(noticed, matching, prediction),
    strata: {
      reconstruction: thirds(live).map((third) => mean(third, error)),
      predictions: thirds(live).map((third) => {
        const among = new Set(third);
        return mean(
          noticed.filter((latent) => among.has(latent)),
          prediction,
        );
      }),
    },
    fingerprint: meanOf(
      sampled
        .filter(({ latent }) => matched(latent))
        .map(({ latent, result }) => result.others.get(match[latent])!.fingerprint),
    ),
  };
}

/** 1 − KL with the other one in its place / KL without the latent, cut to −1 … 1. */
function recoveredPrediction({ result: { ablated, others } }: JudgedLatent, other: number): number {
  return Math.min(1, Math.max(-1, 1 - others.get(other)!.divergence / ablated.divergence));
}

function recoveredLoss(pairs: readonly SeedPair[], method: MatchingMethod): number | null {
  let [replaced, without] = [0, 0];
  for (const { judged } of pairs)
    for (const { latent, result } of judged.sampled) {
      const other = judged.matchings[method].match[latent];
      without += result.ablated.crossEntropy;
      replaced += other < 0 ? result.ablated.crossEntropy : result.others.get(other)!.crossEntropy;
    }
  return without > 0 ? 1 - replaced / without : null;
}

/** Over the latents that have both: how often the counterpart's fingerprint is nearer. */
function beats(pairs: readonly SeedPair[], method: MatchingMethod, kind: Negative): number | null {
  const wins = pairs.flatMap(({ judged }) =>
    judged.sampled.flatMap(({ latent, negatives: against, result }) => {
      const own = result.others.get(judged.matchings[method].match[latent]);
      const other = result.others.get(against[kind]);
      if (!own || !other) return [];
      return own.fingerprint > other.fingerprint ? [1] : own.fingerprint === other.fingerprint ? [0.5] : [0];
    }),
  );
  return finite(meanOf(wins));
}

function negativeFigures(pairs: readonly SeedPair[], kind: Negative): Summary['negatives'][number] {
  const reconstruction = pairs.flatMap(({ judged: { live, negativesOf, substitution } }) =>
    live.flatMap((latent) => {
      const other = negativesOf(latent)[kind];
      return other < 0 ? [] : [substitution.recovered(latent, other)];
    }),
  );
  const tested = pairs.flatMap(({ judged }) =>
    judged.sampled.filter((one) => one.negatives[kind] >= 0 && one.result.ablated.divergence > 0),
  );
  return {
    kind,
    reconstruction: finite(meanOf(reconstruction)),
    predictions: finite(meanOf(tested.map((one) => recoveredPrediction(one, one.negatives[kind])))),
    fingerprint: finite(meanOf(tested.map((one) => one.result.others.get(one.negatives[kind])!.fingerprint))),
  };
}

/** Mean density of each third. */
function stratumDensities(pairs: readonly SeedPair[], tokens: number): (number | null)[] {
  return [0, 1, 2].map((at) =>
    finite(
      meanOf(
        pairs.flatMap(({ judged: { live, firings } }) => thirds(live)[at].map((latent) => firings[latent])),
      ) / tokens,
    ),
  );
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const finite = (value: number) => (Number.isFinite(value) ? value : null);
