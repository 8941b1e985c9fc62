/**
 * Perplexity against sparsity for every method (METHODS.md §4), at the same shares of neurons kept. Each method's thresholds come
 * from a sample of tokens; its sparsity and perplexity are then measured by whole forward passes.
 */
import { activationFunction } from '../../models/activationFunctions/activationFunctions.ts';
import type { LanguageModel } from '../../models/languageModel.ts';
import { Random } from '../../numerics/random.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import { Cett, outputNorms } from './cett.ts';
import type { Intervention } from './intervention.ts';
import { lowRankCorrection, outputDirections } from './lowRankOutput.ts';
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
/** Values of CETT, the same for all layers, at which points of the CETT curve are planned. */
const cettGrid = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7];

/**
 * The thresholds at which each method masks a given share of the neurons (or reaches a given CETT), from a sample of a
 * model's activations. Holds tensors: dispose it.
 */
export class MaskingThresholds {
  readonly model: LanguageModel;
  readonly #samples: readonly Float32Array[];
  readonly #sorted: readonly Float32Array[];
  readonly #outputs: readonly Tensor2D[];
  readonly #norms: readonly Float64Array[];
  readonly #cett: readonly Cett[];
  #directions: readonly Float32Array[] | undefined;

  /** samples [layers][tokens, neurons]: what W_down reads in each layer on a sample of tokens. */
  constructor(model: LanguageModel, samples: readonly Float32Array[]) {
    const { neurons, d } = model.config;
    this.model = model;
    this.#samples = samples;
    this.#sorted = samples.map((sample) => sample.map(Math.abs).sort());
    this.#outputs = samples.map((_, layer) => model.neuronOutputs(layer));
    const rows = this.#outputs.map((outputs) => outputs.dataSync<'float32'>());
    this.#norms = rows.map((outputs) => outputNorms(outputs, neurons, d));
    this.#cett = samples.map((sample, layer) => new Cett(sample, rows[layer], { neurons, d }));
  }

  dispose(): void {
    for (const cett of this.#cett) cett.dispose();
    tf.dispose([...this.#outputs]);
  }

  /** Share of entries of the sample that are not 0. */
  activeRatio(): number {
    const entries = this.#samples.reduce((sum, sample) => sum + sample.length, 0);
    const active = this.#samples.reduce((sum, sample) => sum + sample.filter((a) => a !== 0).length, 0);
    return active / entries;
  }

  /** Masks such that CETT is `target` in every layer, each with its own τ. */
  cett(target: number): Intervention {
    const thresholds = this.#cett.map((cett) => (target >= 1 ? Infinity : cett.solve(target).threshold));
    return { rule: contributionRule(thresholds, this.#norms) };
  }

  /** TEAL: the same share is masked in each layer. */
  teal(masked: number): Intervention {
    return { rule: magnitudeRule(this.#sorted.map((sorted) => quantile(sorted, masked))) };
  }

  /** One threshold on |a| for all layers. */
  magnitude(masked: number): Intervention {
    const all = concatenated(this.#sorted).sort();
    return { rule: magnitudeRule(this.#sorted.map(() => quantile(all, masked))) };
  }

  rSparse(masked: number, rank: number): Intervention {
    this.#directions ??= this.#outputs.map(outputDirections);
    return { ...this.teal(masked), correct: lowRankCorrection(this.#outputs, this.#directions, rank) };
  }

  /** Spark's soft threshold: pre-activations above it are reduced by it, and the others set to 0, before the activation function. */
  softSpark(k: number): Intervention {
    const { neurons } = this.model.config;
    return { onPre: (pre) => pre.set(statisticalTopK(pre, neurons, k).values) };
  }

  /** A truncation width of twice the `share` quantile of the positive activations: sign faults then mask a share of that order. */
  faultWidth(share: number): number {
    const positive = concatenated(this.#samples)
      .filter((a) => a > 0)
      .sort();
    return 2 * quantile(positive, share);
  }
}

/** Every point of every method's curve. `gateSample` are sampled values of act(·), from which FATReLU's thresholds are computed. */
export function planTradeoff(masking: MaskingThresholds, gateSample: Float32Array): PlannedPoint[] {
  const { neurons, d, activation, gated } = masking.model.config;
  const active = masking.activeRatio();
  // The word in the seed's name is an old one for masked: with another, the draws and the figures of stored reports would change.
  const random = (share: number) => Random.fromSeed(0, `resting ${share}`);
  const gates = gateSample.slice().sort();
  const ranks = [...new Set([Math.ceil(d / 16), Math.ceil(d / 4)])];
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
      ? [0.1, 0.25, 0.5, 0.75, 0.95].map((share): PlannedPoint => {
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

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
