/** Where training begins: decoder rows, encoder rows and the bias, by the settings of startFields.ts (METHODS.md §14). */
import type { ConfiguredArchitecture } from '../autoencoders/implementations.ts';
import type { DictionaryArrays } from '../autoencoders/dictionary.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { leadingEigenvectors } from '../numerics/leadingEigenvectors.ts';
import type { Random } from '../numerics/random.ts';
import type { StartSettings } from '../spec/startFields.ts';

export interface StartData {
  /** [rows, d] */
  readonly sample: Float32Array;
  /** [d] */
  readonly median: Float32Array;
}

/** Principal components that rows begin along, each both ways. */
const mostComponents = 512;

/** b_dec at the start. */
export function startingBias(
  { biasStart = 'median' }: StartSettings,
  { sample, median }: StartData,
): Float32Array {
  if (biasStart === 'median') return median;
  return biasStart === 'mean' ? meanOf(sample, median.length) : new Float32Array(median.length);
}

/**
 * Makes dictionaries of one configuration, one for each random generator. What depends on the data alone is computed once.
 *
 * @param width rows
 */
export function starts(
  architecture: Pick<ConfiguredArchitecture, 'initialise'>,
  width: number,
  settings: StartSettings,
  data: StartData,
): (random: Random) => DictionaryArrays {
  const { decoderStart = 'random', encoderStart = 'tied' } = settings;
  const d = data.median.length;
  const bias = startingBias(settings, data);
  const components = decoderStart === 'pca' ? principalComponents(data.sample, d) : null;
  return (random) => {
    const rows = (radius: number) => {
      if (components) return scaled(alongComponents(components, width, random), d, radius);
      if (decoderStart === 'data') return scaled(dataRows(data.sample, bias, width, random), d, radius);
      return randomRows(random, width, d, radius);
    };
    const tied = architecture.initialise(data.sample, bias, rows);
    if (encoderStart === 'tied') return tied;
    const own = architecture.initialise(data.sample, bias, (radius) => randomRows(random, width, d, radius));
    return { ...own, wDec: tied.wDec };
  };
}

function meanOf(sample: Float32Array, d: number): Float32Array {
  const sums = new Float64Array(d);
  sample.forEach((value, at) => (sums[at % d] += value));
  return Float32Array.from(sums, (sum) => (sum * d) / sample.length);
}

/** Rows of the sample less its centre, none twice; where there are more latents than rows, differences of two of them. */
function dataRows(sample: Float32Array, centre: Float32Array, width: number, random: Random): Float32Array {
  const d = centre.length;
  const count = sample.length / d;
  const order = random.permutation(count);
  const out = new Float32Array(width * d);
  for (let i = 0; i < width; i++) {
    const from = (i < count ? order[i] : random.below(count)) * d;
    const to = i < count ? -1 : random.below(count) * d;
    for (let k = 0; k < d; k++) out[i * d + k] = sample[from + k] - (to < 0 ? centre[k] : sample[to + k]);
  }
  return out;
}

interface Components {
  readonly d: number;
  /** Descending, and their unit vectors [count, d]. */
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

function principalComponents(sample: Float32Array, d: number): Components {
  const mean = meanOf(sample, d);
  const rows = sample.length / d;
  const covariance = new Float64Array(d * d);
  const centred = new Float64Array(d);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < d; k++) centred[k] = sample[row * d + k] - mean[k];
    for (let i = 0; i < d; i++)
      for (let j = 0; j <= i; j++) covariance[i * d + j] += (centred[i] * centred[j]) / rows;
  }
  return { d, ...leadingEigenvectors(covariance, d, Math.min(d, mostComponents)) };
}

/** v₁, −v₁, v₂, −v₂, … and then Σ √λ g v, g normal. */
function alongComponents({ d, values, vectors }: Components, width: number, random: Random): Float32Array {
  const out = new Float32Array(width * d);
  for (let i = 0; i < width; i++) {
    if (i < 2 * values.length) {
      const sign = i % 2 === 0 ? 1 : -1;
      for (let k = 0; k < d; k++) out[i * d + k] = sign * vectors[(i >> 1) * d + k];
      continue;
    }
    values.forEach((value, c) => {
      const part = Math.sqrt(Math.max(0, value)) * random.normal();
      for (let k = 0; k < d; k++) out[i * d + k] += part * vectors[c * d + k];
    });
  }
  return out;
}

/** Rows brought to a norm; a row of zeros stays as it is. */
function scaled(rows: Float32Array, d: number, radius: number): Float32Array {
  for (let from = 0; from < rows.length; from += d) {
    let square = 0;
    for (let k = 0; k < d; k++) square += rows[from + k] ** 2;
    const scale = square > 0 ? radius / Math.sqrt(square) : 0;
    for (let k = 0; k < d; k++) rows[from + k] *= scale;
  }
  return rows;
}
