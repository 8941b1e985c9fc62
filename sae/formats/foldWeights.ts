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
