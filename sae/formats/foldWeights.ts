/**
 * What other tools do while they encode, folded into the weights once. Each is exact but for rounding, and changes the
 * dictionary that it is given.
 */
import {
  fromForeign,
  type DictionaryWeights,
  type ForeignDictionary,
  type ImportedDictionary,
} from './dictionaryWeights.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';

/** Row i of a matrix [factors, …] times factor i. */
function scaleRows(matrix: Float32Array, factors: Float64Array, inverse = false): void {
  const width = matrix.length / factors.length;
  for (let row = 0; row < factors.length; row++)
    for (let i = row * width; i < (row + 1) * width; i++)
      matrix[i] = inverse ? matrix[i] / factors[row] : matrix[i] * factors[row];
}

/**
 * SAELens's `rescale_acts_by_decoder_norm`: latents are chosen by z·‖W_dec,i‖, that product is their activation, and the
 * decoder divides by the norm again. The same as encoder rows and biases times the norm, and decoder rows of norm 1. A
 * latent whose decoder row is 0 never fires then; the tool itself computes 0/0 there.
 */
export function foldDecoderNorms(dictionary: ImportedDictionary): void {
  const { wEnc, bEnc, wDec, latents, d, folded } = dictionary;
  const norms = Float64Array.from({ length: latents }, (_, latent) =>
    Math.hypot(...wDec.subarray(latent * d, (latent + 1) * d)),
  );
  scaleRows(wEnc, norms);
  scaleRows(bEnc, norms);
  scaleRows(wDec, norms.map((norm) => norm || 1), true); // prettier-ignore
  folded.push('It rescales activations by decoder norms: they were multiplied into the encoder.');
}

/** The encoder reads s·x and the reconstruction is divided by s: SAELens's `fold_activation_norm_scaling_factor`. */
export function foldInputScale(dictionary: ImportedDictionary, scale: number): void {
  const { wEnc, wDec, bDec } = dictionary;
  const factor = Float64Array.of(scale);
  scaleRows(wEnc, factor);
  scaleRows(wDec, factor, true);
  scaleRows(bDec, factor, true);
  dictionary.folded.push(
    `It was trained on activations times ${scale}: that was multiplied into the weights.`,
  );
}

/**
 * What keeps the k largest of |z| with their signs (SAELens's abstopk, sparsify's `signed`), as TopK of twice as many latents: latent i fires
 * as i where z > 0, and as i + latents, with −W_enc,i, −b_enc,i and −W_dec,i, where z < 0. Of the two at most one is positive, so that the k
 * largest of both halves are the k largest of |z|.
 */
export function signedAsTwo(dictionary: ImportedDictionary): ImportedDictionary {
  const { latents, wEnc, bEnc, wDec, folded } = dictionary;
  const both = (values: Float32Array) => {
    const out = new Float32Array(2 * values.length);
    out.set(values);
    out.set(values.map((value) => -value), values.length); // prettier-ignore
    return out;
  };
  return {
    ...dictionary,
    latents: 2 * latents,
    wEnc: both(wEnc),
    bEnc: both(bEnc),
    wDec: both(wDec),
    folded: [
      ...folded,
      `Its latents fire with either sign: each was written as two, latent i where it is above 0 and i + ${latents} where it is below.`,
    ],
  };
}

/** z = (x − mean)·M and back: SAELens's whitening. */
export interface Whitening {
  mean: Float32Array; // [d]
  matrix: Float32Array; // M [d, d]
  inverse: Float32Array; // M⁻¹ [d, d]
}

/**
 * The dictionary acts on z = (x − mean)·M and its reconstructions are mapped back (SAELens's `fold_activation_whitening`): M goes into the
 * encoder, M⁻¹ into the decoder, and the mean into b_dec or, where the encoder doesn't read x − b_dec, into b_enc too.
 */
export function foldWhitening(dictionary: ImportedDictionary, { mean, matrix, inverse }: Whitening): void {
  const { architecture, wEnc, bEnc, wDec, bDec, latents, d, folded } = dictionary;
  /** A row times the matrix, or times its transpose. */
  const times = (row: Float32Array, by: Float32Array, transposed: boolean) =>
    Float64Array.from({ length: d }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += row[i] * (transposed ? by[j * d + i] : by[i * d + j]);
      return sum;
    });
  const { subtractsDecoderBias } = describedArchitecture(architecture);
  for (let latent = 0; latent < latents; latent++) {
    const row = [latent * d, (latent + 1) * d] as const;
    const encoder = times(wEnc.subarray(...row), matrix, true);
    wEnc.set(encoder, row[0]);
    if (!subtractsDecoderBias) bEnc[latent] -= encoder.reduce((sum, weight, j) => sum + weight * mean[j], 0);
    wDec.set(times(wDec.subarray(...row), inverse, false), row[0]);
  }
  bDec.set(times(bDec, inverse, false).map((value, j) => value + mean[j]));
  folded.push('It was trained on whitened activations: the whitening was multiplied into the weights.');
}

export interface GatedParameters {
  /** r [latents]: the magnitudes' encoder is exp(r)·W_enc. */
  rMag: Float32Array;
  magnitudeBias: Float32Array;
  gateBias: Float32Array;
}

/**
 * A gated dictionary (Rajamanoharan et al., 2404.16014, §3.2) as it is kept here. With u = W_enc·(x − b_dec), a latent has the
 * activation ReLU(z) of z = exp(r)·u + b_mag where u + b_gate > 0, which is where z > θ for θ = b_mag − exp(r)·b_gate.
 */
export function fromGated(
  foreign: Omit<ForeignDictionary, 'architecture' | 'bEnc' | 'threshold'>,
  { rMag, magnitudeBias, gateBias }: GatedParameters,
): ImportedDictionary {
  const latents = rMag.length;
  const zeros = { shape: [latents], data: new Float32Array(latents) };
  const gated = fromForeign({ ...foreign, architecture: 'gated', bEnc: zeros, threshold: zeros });
  const gain = Float64Array.from(rMag, Math.exp);
  const wEnc = gated.wEnc.slice();
  const bEnc = gated.bEnc.slice();
  scaleRows(wEnc, gain);
  scaleRows(bEnc, gain);
  return {
    ...gated,
    wEnc,
    bEnc: bEnc.map((bias, i) => bias + magnitudeBias[i]),
    threshold: Float32Array.from(gain, (factor, i) => magnitudeBias[i] - factor * gateBias[i]),
    folded: [
      ...gated.folded,
      'Its gate was written as a threshold on magnitudes, θ = b_mag − exp(r)·b_gate.',
    ],
  };
}

/** The other way round, with r = 0; for a dictionary whose encoder reads x − b_dec. */
export function toGated({ latents, bEnc, threshold }: DictionaryWeights): GatedParameters {
  return {
    rMag: new Float32Array(latents),
    magnitudeBias: bEnc,
    gateBias: bEnc.map((bias, i) => bias - (threshold?.[i] ?? 0)),
  };
}
