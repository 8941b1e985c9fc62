/** Statistics of each latent that need only its firings and its weights. */
import type { Capture } from '../activations/openCapture.ts';
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import type { FlatLists } from '../store/parquet.ts';
import type { FiringsByLatent } from './collectFirings.ts';
import { Largest } from './largest.ts';
import { ListBuilder } from './listBuilder.ts';

export const histogramBins = 32;
export const topTokenCount = 10;

export interface FiringStatistics {
  firings: Float64Array;
  maxActivation: Float64Array;
  /** [latents]: mean over the tokens on which the latent is active; 0 for a dead latent. */
  meanActivation: Float64Array;
  /** A list for each latent: counts in 32 equal bins on (0, max], bin b being (b, b + 1]·max/32. */
  histogram: FlatLists;
  topTokens: FlatLists;
  topTokenCounts: FlatLists;
}

export function firingStatistics(capture: Capture, firings: FiringsByLatent): FiringStatistics {
  const { latents, start, rows, values } = firings;
  const counts = new Float64Array(latents);
  const maxActivation = new Float64Array(latents);
  const meanActivation = new Float64Array(latents);
  const histogram = new Int32Array(latents * histogramBins);
  const tokens = new TokenCounter(capture, latents);
  for (let latent = 0; latent < latents; latent++) {
    const [from, to] = [start[latent], start[latent + 1]];
    let max = 0;
    let sum = 0;
    for (let at = from; at < to; at++) {
      max = Math.max(max, values[at]);
      sum += values[at];
    }
    for (let at = from; at < to; at++) {
      const bin = Math.min(histogramBins, Math.ceil((values[at] / max) * histogramBins)) - 1;
      histogram[latent * histogramBins + Math.max(bin, 0)]++;
    }
    counts[latent] = to - from;
    maxActivation[latent] = max;
    meanActivation[latent] = to > from ? sum / (to - from) : 0;
    tokens.count(rows.subarray(from, to));
  }
  return {
    firings: counts,
    maxActivation,
    meanActivation,
    histogram: {
      values: histogram,
      offsets: Uint32Array.from({ length: latents + 1 }, (_, i) => i * histogramBins),
    },
    ...tokens.lists(),
  };
}

/** Finds the tokens on which a latent fires most often, ties by lower token id. */
class TokenCounter {
  #capture: Capture;
  #counts: Uint32Array;
  #largest = new Largest(topTokenCount);
  #tokens: ListBuilder<Int32Array>;
  #times: ListBuilder<Int32Array>;

  constructor(capture: Capture, latents: number) {
    this.#capture = capture;
    this.#counts = new Uint32Array(capture.tokens.reduce((max, token) => Math.max(max, token), 0) + 1);
    this.#tokens = new ListBuilder(Int32Array, latents, topTokenCount);
    this.#times = new ListBuilder(Int32Array, latents, topTokenCount);
  }

  count(rows: Uint32Array): void {
    const { tokens, manifest, trainRows } = this.#capture;
    const seen: number[] = [];
    for (const row of rows) {
      const { context, position } = this.#capture.rowToken(trainRows + row);
      const token = tokens[context * manifest.contextLength + position];
      // It isn't known which token it was.
      if (token < 0) continue;
      if (this.#counts[token]++ === 0) seen.push(token);
    }
    this.#largest.clear();
    for (const token of seen.sort((a, b) => a - b)) {
      this.#largest.offer(this.#counts[token], token);
      this.#counts[token] = 0;
    }
    this.#tokens.add(this.#largest.places);
    this.#times.add(this.#largest.values);
  }

  lists() {
    return { topTokens: this.#tokens.lists(), topTokenCounts: this.#times.lists() };
  }
}

/** [latents]: ‖W_dec,i‖, and the cosine of encoder and decoder row, which is 0 where either row is zero and where their widths differ. */
export function weightStatistics({
  wEnc,
  wDec,
  latents,
  d,
  outputWidth,
}: Pick<Autoencoder, 'wEnc' | 'wDec' | 'latents' | 'd' | 'outputWidth'>) {
  const decoderNorm = new Float64Array(latents);
  const encoderDecoderCosine = new Float64Array(latents);
  for (let latent = 0; latent < latents; latent++) {
    const encoder = wEnc.subarray(latent * d, (latent + 1) * d);
    const decoder = wDec.subarray(latent * outputWidth, (latent + 1) * outputWidth);
    let [enc, dec, product] = [0, 0, 0];
    for (let j = 0; j < d; j++) enc += encoder[j] ** 2;
    for (let j = 0; j < outputWidth; j++) dec += decoder[j] ** 2;
    if (d === outputWidth) for (let j = 0; j < d; j++) product += encoder[j] * decoder[j];
    decoderNorm[latent] = Math.sqrt(dec);
    encoderDecoderCosine[latent] = enc > 0 && dec > 0 ? product / Math.sqrt(enc * dec) : 0;
  }
  return { decoderNorm, encoderDecoderCosine };
}
