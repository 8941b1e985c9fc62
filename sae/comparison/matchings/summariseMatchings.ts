/**
 * From the judged pairs of seeds to the figures of the report: means over pairs, intervals over seeds. Of a pair only its figures are kept:
 * its dictionaries and lists of firings take gigabytes where they are wide.
 */
import type { Matchings } from '../../spec/manifests/matchings.ts';
import { matchingMethodNames, type MatchingMethod } from '../../spec/matchingMethods.ts';
import { bootstrapSeeds } from './bootstrapSeeds.ts';
import { negatives, thirds, type JudgedLatent, type JudgedPair, type Negative } from './judgePair.ts';
import { qualityCoverage, type QualityCoverage } from './qualityCoverage.ts';

export interface SeedPair {
  readonly a: number;
  readonly b: number;
  readonly figures: PairSummary;
}

export interface PairSummary {
  readonly iterations: number;
  readonly change: number;
  /** Latents that were judged, and whose predictions were compared. */
  readonly judged: number;
  readonly sampled: readonly JudgedLatent[];
  readonly methods: ReadonlyMap<MatchingMethod, MethodFigures>;
  /** Of each third by frequency the mean number of tokens on which its latents fire, and how many those are. */
  readonly thirds: readonly Weighted[];
  /** Mean share that each kind of negative recovers, of the latents that have one. */
  readonly negatives: Readonly<Record<Negative, Weighted>>;
}

interface Weighted {
  readonly mean: number;
  readonly count: number;
}

export function summarisePair(pair: JudgedPair): PairSummary {
  const { iterations, change, live, sampled, firings, negativesOf, substitution } = pair;
  const recovered = (kind: Negative) =>
    weighted(
      live.flatMap((latent) => {
        const other = negativesOf(latent)[kind];
        return other < 0 ? [] : [substitution.recovered(latent, other)];
      }),
    );
  return {
    iterations,
    change,
    judged: live.length,
    sampled,
    methods: new Map(matchingMethodNames.map((method) => [method, figuresOf(pair, method)])),
    thirds: thirds(live).map((third) => weighted(third.map((latent) => firings[latent]))),
    negatives: { secondBest: recovered('secondBest'), likeActivity: recovered('likeActivity') },
  };
}

type Summary = Pick<Matchings, 'judged' | 'methods' | 'negatives'>;

export function summariseMatchings(
  seeds: readonly number[],
  pairs: readonly SeedPair[],
  { tokens, predictions }: { tokens: number; predictions: boolean },
): Summary {
  const figures = new Map<MatchingMethod, MethodFigures[]>(
    matchingMethodNames.map((method) => [method, pairs.map((pair) => pair.figures.methods.get(method)!)]),
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
  const judgedOf = (own: readonly MethodFigures[], part: 'reconstruction' | 'predictions') => ({
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
    judged: meanOf(pairs.map((pair) => pair.figures.judged)),
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

interface MethodFigures {
  readonly reconstruction: QualityCoverage;
  readonly predictions: QualityCoverage;
  readonly strata: Readonly<Record<'reconstruction' | 'predictions', readonly number[]>>;
  /** Mean cosine of fingerprints; NaN where no latent that was looked at has a counterpart. */
  readonly fingerprint: number;
  /** The counterpart of each latent that was sampled; −1 for none. */
  readonly counterparts: ReadonlyMap<number, number>;
}

function figuresOf(
  { matchings, live, substitution, sampled }: JudgedPair,
  method: MatchingMethod,
): MethodFigures {
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
    counterparts: new Map(sampled.map(({ latent }) => [latent, match[latent]])),
  };
}

/** 1 − KL with the other one in its place / KL without the latent, cut to −1 … 1. */
function recoveredPrediction({ result: { ablated, others } }: JudgedLatent, other: number): number {
  return Math.min(1, Math.max(-1, 1 - others.get(other)!.divergence / ablated.divergence));
}

function recoveredLoss(pairs: readonly SeedPair[], method: MatchingMethod): number | null {
  let [replaced, without] = [0, 0];
  for (const { figures } of pairs)
    for (const { latent, result } of figures.sampled) {
      const other = figures.methods.get(method)!.counterparts.get(latent)!;
      without += result.ablated.crossEntropy;
      replaced += other < 0 ? result.ablated.crossEntropy : result.others.get(other)!.crossEntropy;
    }
  return without > 0 ? 1 - replaced / without : null;
}

/** Over the latents that have both: how often the counterpart's fingerprint is nearer. */
function beats(pairs: readonly SeedPair[], method: MatchingMethod, kind: Negative): number | null {
  const wins = pairs.flatMap(({ figures }) =>
    figures.sampled.flatMap(({ latent, negatives: against, result }) => {
      const own = result.others.get(figures.methods.get(method)!.counterparts.get(latent)!);
      const other = result.others.get(against[kind]);
      if (!own || !other) return [];
      return own.fingerprint > other.fingerprint ? [1] : own.fingerprint === other.fingerprint ? [0.5] : [0];
    }),
  );
  return finite(meanOf(wins));
}

function negativeFigures(pairs: readonly SeedPair[], kind: Negative): Summary['negatives'][number] {
  const tested = pairs.flatMap(({ figures }) =>
    figures.sampled.filter((one) => one.negatives[kind] >= 0 && one.result.ablated.divergence > 0),
  );
  return {
    kind,
    reconstruction: finite(pooled(pairs.map(({ figures }) => figures.negatives[kind]))),
    predictions: finite(meanOf(tested.map((one) => recoveredPrediction(one, one.negatives[kind])))),
    fingerprint: finite(meanOf(tested.map((one) => one.result.others.get(one.negatives[kind])!.fingerprint))),
  };
}

/** Mean density of each third. */
function stratumDensities(pairs: readonly SeedPair[], tokens: number): (number | null)[] {
  return [0, 1, 2].map((at) => finite(pooled(pairs.map(({ figures }) => figures.thirds[at])) / tokens));
}

/** The mean over everything that the means are of; NaN for nothing. */
function pooled(parts: readonly Weighted[]): number {
  const all = parts.filter(({ count }) => count > 0);
  const total = all.reduce((sum, { count }) => sum + count, 0);
  return all.reduce((sum, { mean, count }) => sum + (mean * count) / total, all.length > 0 ? 0 : NaN);
}

const weighted = (values: readonly number[]): Weighted => ({ mean: meanOf(values), count: values.length });
const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const finite = (value: number) => (Number.isFinite(value) ? value : null);
