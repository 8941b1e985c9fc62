/**
 * Perplexity against sparsity for every method (METHODS.md §4), at the same shares of neurons kept. Each method's thresholds come
 * from a sample of tokens; its sparsity and perplexity are then measured by whole forward passes.
 */
import { activationFunction } from '../../models/activationFunctions/activationFunctions.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import type { Intervention } from './intervention.ts';
import { lowRankCorrection, lowRankOutput, type LowRankOutput } from './lowRankOutput.ts';
import type { KnownFrom } from './multiplyAdds.ts';
import {
  circaRule,
  contributionRule,
  fatReluRule,
  magnitudeRule,
  randomRule,
  sparkRule,
  topKRule,
} from './maskingRule.ts';
import type { SampledLayer } from './sampledLayer.ts';
import { statisticalTopK } from './statisticalTopK.ts';

export const tradeoffMethods = [
  'cett', 'topk', 'spark', 'spark-soft', 'fatrelu', 'teal', 'rsparse', 'circa', 'magnitude', 'random',
] as const; // prettier-ignore
export type TradeoffMethod = (typeof tradeoffMethods)[number];

export interface PlannedPoint {
  method: TradeoffMethod;
  /** What is set, and to what: k, a share, a threshold, a CETT. A share of masked neurons is called 'resting', as in stored reports. */
  setting: string;
  value: number;
  /** R-Sparse's rank. */
  rank?: number;
  /** What must be computed before it is known which neurons are masked; it decides which matrices are spared. */
  knownFrom: KnownFrom;
  /** Share of the neurons that are masked by a random draw. */
  drawn?: number;
  intervention: Intervention;
}

/** Shares of the firing neurons that are kept: a point of each method's curve is planned for each. */
export const keptShares = [0.75, 0.5, 0.35, 0.25, 0.15, 0.08, 0.04];
/** Quantiles of the positive activations from which Circa's widths are made. */
const faultShares = [0.1, 0.25, 0.5, 0.75, 0.95];
/** Values of CETT, the same for all layers, at which points of the CETT curve are planned. */
const cettGrid = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7];

/** The most settings at which planTradeoff plans a method, for a model of width d. */
export function settings(method: TradeoffMethod, d: number): number {
  if (method === 'cett') return cettGrid.length;
  if (method === 'circa') return faultShares.length;
  return keptShares.length * (method === 'rsparse' ? lowRanks(d).length : 1);
}

/** R-Sparse's ranks for a model of width d, ascending. */
export function lowRanks(d: number): number[] {
  return [...new Set([Math.ceil(d / 16), Math.ceil(d / 4)])];
}

/**
 * The thresholds at which each method masks a given share of the neurons (or reaches a given CETT), from a sample of a
 * model's activations. Holds tensors: dispose it.
 */
export class MaskingThresholds {
  readonly model: LanguageModel;
  readonly #layers: readonly SampledLayer[];
  /** [layers][tokens · neurons]: |a|, ascending. */
  readonly #sorted: readonly Float32Array[];
  readonly #activeRatio: number;
  /** [layers] */
  readonly #lowRank: LowRankOutput[] = [];
  /** All positive activations, ascending. */
  #positive: Float32Array | undefined;

  constructor(model: LanguageModel, layers: readonly SampledLayer[]) {
    this.model = model;
    this.#layers = layers;
    this.#sorted = layers.map(({ activations }) => activations.map(Math.abs).sort());
    const entries = this.#sorted.reduce((sum, sorted) => sum + sorted.length, 0);
    this.#activeRatio = 1 - this.#sorted.reduce((sum, sorted) => sum + countUpTo(sorted, 0), 0) / entries;
  }

  dispose(): void {
    for (const { coordinates, directions } of this.#lowRank) tf.dispose([coordinates, directions]);
  }

  /** Share of entries of the sample that are not 0. */
  activeRatio(): number {
    return this.#activeRatio;
  }

  /** Masks such that CETT is `target` in every layer, each with its own τ. */
  cett(target: number): Intervention {
    const thresholds = this.#layers.map(({ cett }) =>
      target >= 1 ? Infinity : cett.solve(target).threshold,
    );
    const norms = this.#layers.map(({ outputNorms }) => outputNorms);
    return { rule: contributionRule(thresholds, norms) };
  }

  /** TEAL: the same share is masked in each layer. */
  teal(masked: number): Intervention {
    return { rule: magnitudeRule(this.#sorted.map((sorted) => quantile(sorted, masked))) };
  }

  /** One threshold on |a| for all layers. */
  magnitude(masked: number): Intervention {
    const threshold = jointQuantile(this.#sorted, masked);
    return { rule: magnitudeRule(this.#sorted.map(() => threshold)) };
  }

  /** Decomposes W_down of a layer, for rSparse up to this rank. It takes a while, so that layers are done one by one. */
  decompose(layer: number, rank: number): void {
    const outputs = this.model.neuronOutputs(layer);
    this.#lowRank[layer] = lowRankOutput(outputs, rank);
    outputs.dispose();
  }

  /** All layers must have been decomposed before it is carried out. */
  rSparse(masked: number, rank: number): Intervention {
    return { ...this.teal(masked), correct: lowRankCorrection(this.#lowRank, rank) };
  }

  /** Spark's soft threshold: pre-activations above it are reduced by it, and the others set to 0, before the activation function. */
  softSpark(k: number): Intervention {
    const { neurons } = this.model.config;
    return { onPre: statisticalTopK(neurons, k) };
  }

  /** A truncation width of twice the `share` quantile of the positive activations: sign faults then mask a share of that order. */
  faultWidth(share: number): number {
    this.#positive ??= concatenated(
      this.#layers.map(({ activations }) => activations.filter((a) => a > 0)),
    ).sort();
    return 2 * quantile(this.#positive, share);
  }
}

/** Every point of every method's curve. `gateSample` are sampled values of act(·), from which FATReLU's thresholds are computed. */
export function planTradeoff(masking: MaskingThresholds, gateSample: Float32Array): PlannedPoint[] {
  const { neurons, d, activation, gated } = masking.model.config;
  const active = masking.activeRatio();
  // The word in the seed's name is an old one for masked: with another, the draws and the figures of stored reports would change.
  const random = (share: number) => Random.fromSeed(0, `resting ${share}`);
  const gates = gateSample.slice().sort();
  const ranks = lowRanks(d);
  const { exactZeros } = activationFunction(activation);
  const sparse = keptShares.flatMap((share): PlannedPoint[] => {
    const kept = share * active;
    const k = Math.max(1, Math.round(kept * neurons));
    const masked = 1 - kept;
    const byGate = { setting: 'k', value: k, knownFrom: 'gate' } as const;
    const threshold = quantile(gates, masked);
    return [
      { method: 'topk', setting: 'k', value: k, knownFrom: 'value', intervention: { rule: topKRule(k) } },
      { method: 'spark', ...byGate, intervention: { rule: sparkRule(k) } },
      { method: 'spark-soft', ...byGate, intervention: masking.softSpark(k) },
      {
        method: 'fatrelu', setting: 'T', value: threshold, knownFrom: 'gate',
        intervention: { rule: fatReluRule(threshold) },
      },
      { method: 'teal', setting: 'resting', value: masked, knownFrom: 'value', intervention: masking.teal(masked) },
      ...ranks.map((rank): PlannedPoint => ({
        method: 'rsparse', setting: 'resting', value: masked, rank, knownFrom: 'value',
        intervention: masking.rSparse(masked, rank),
      })),
      {
        method: 'magnitude', setting: 'resting', value: masked, knownFrom: 'value',
        intervention: masking.magnitude(masked),
      },
      {
        method: 'random', setting: 'resting', value: masked, knownFrom: 'draw', drawn: 1 - share,
        intervention: { rule: randomRule(1 - share, random(share)) },
      },
    ]; // prettier-ignore
  });
  const contributions = cettGrid.map((value): PlannedPoint => ({
    method: 'cett', setting: 'CETT', value, knownFrom: 'value', intervention: masking.cett(value),
  })); // prettier-ignore
  // Circa's sign faults apply to ReLU only, because other functions do not depend on the sign test.
  const faults =
    exactZeros && activation === 'relu' && !gated
      ? faultShares.map((share): PlannedPoint => {
          const width = masking.faultWidth(share);
          const rule = circaRule(width, random(share));
          return {
            method: 'circa',
            setting: 'width',
            value: width,
            knownFrom: 'gate',
            intervention: { rule },
          };
        })
      : [];
  return [...contributions, ...sparse, ...faults];
}

/** The smallest of the ascending values such that at least this share of them does not exceed it. */
function quantile(sorted: Float32Array, share: number): number {
  const rank = Math.ceil(share * sorted.length);
  return rank <= 0 ? -Infinity : sorted[Math.min(rank, sorted.length) - 1];
}

/** The same of all the lists together, which hold no negative number. They need not be merged: the answer is found bit by bit. */
function jointQuantile(lists: readonly Float32Array[], share: number): number {
  const entries = lists.reduce((sum, list) => sum + list.length, 0);
  const rank = Math.min(Math.ceil(share * entries), entries);
  if (rank <= 0) return -Infinity;
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  // The bits of positive numbers order as integers do.
  let [low, high] = [0, 0x7fffffff];
  while (low < high) {
    bits[0] = (low + high) >>> 1;
    if (lists.reduce((sum, list) => sum + countUpTo(list, value[0]), 0) >= rank) high = bits[0];
    else low = bits[0] + 1;
  }
  bits[0] = low;
  return value[0];
}

/** How many of the ascending values are at most `bound`; NaNs come last in them, and as a bound are above all numbers. */
function countUpTo(sorted: Float32Array, bound: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Number.isNaN(bound) || sorted[middle] <= bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
