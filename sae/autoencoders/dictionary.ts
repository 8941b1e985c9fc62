/**
 * An autoencoder's parameters as they are trained: W_enc and W_dec [latents, d] (row i is latent i in both),
 * b_enc [latents], b_dec [d]; for JumpReLU log θ [latents]; for Gated r_mag and b_mag [latents].
 */
import type { DictionaryOf, DictionaryVariables } from '../ops/fusedKernels.ts';
import { kernelParameters } from '../ops/kernelParameters.ts';
import { tf } from '../tensor/tf.ts';

/** The same on the host, for initialisation and files. */
export type DictionaryArrays = DictionaryOf<Float32Array, Float32Array>;

/** Every parameter that a dictionary may have. */
export const parameterNames = [...kernelParameters, 'wSkip'] as const;

/** Variables take over the arrays: on a backend that keeps tensors in host memory, training changes them in place. */
export function dictionaryVariables(arrays: DictionaryArrays): DictionaryVariables {
  const latents = arrays.bEnc.length;
  const d = arrays.wEnc.length / latents;
  const outputs = arrays.bDec.length;
  return {
    wEnc: variable(arrays.wEnc, [latents, d]),
    bEnc: variable(arrays.bEnc, [latents]),
    wDec: variable(arrays.wDec, [latents, outputs]),
    bDec: variable(arrays.bDec, [outputs]),
    logThreshold: arrays.logThreshold && variable(arrays.logThreshold, [latents]),
    rMag: arrays.rMag && variable(arrays.rMag, [latents]),
    bMag: arrays.bMag && variable(arrays.bMag, [latents]),
    wSkip: arrays.wSkip && variable(arrays.wSkip, [outputs, d]),
  };
}

function variable(values: Float32Array, shape: number[]) {
  const initial = tf.tensor(values, shape, 'float32');
  const result = tf.variable(initial, false);
  initial.dispose();
  return result;
}

/** Adam's moments before the first step. */
export function zerosLike(arrays: DictionaryArrays): DictionaryArrays {
  return {
    wEnc: new Float32Array(arrays.wEnc.length),
    bEnc: new Float32Array(arrays.bEnc.length),
    wDec: new Float32Array(arrays.wDec.length),
    bDec: new Float32Array(arrays.bDec.length),
    logThreshold: arrays.logThreshold && new Float32Array(arrays.logThreshold.length),
    rMag: arrays.rMag && new Float32Array(arrays.rMag.length),
    bMag: arrays.bMag && new Float32Array(arrays.bMag.length),
    wSkip: arrays.wSkip && new Float32Array(arrays.wSkip.length),
  };
}

/** Copies, so that later steps don't change them. */
export function dictionaryArrays(dictionary: DictionaryVariables): DictionaryArrays {
  const read = (tensor: { dataSync(): ArrayLike<number> }) => Float32Array.from(tensor.dataSync());
  return {
    wEnc: read(dictionary.wEnc),
    bEnc: read(dictionary.bEnc),
    wDec: read(dictionary.wDec),
    bDec: read(dictionary.bDec),
    logThreshold: dictionary.logThreshold && read(dictionary.logThreshold),
    rMag: dictionary.rMag && read(dictionary.rMag),
    bMag: dictionary.bMag && read(dictionary.bMag),
    wSkip: dictionary.wSkip && read(dictionary.wSkip),
  };
}

export function disposeDictionary(dictionary: DictionaryVariables): void {
  for (const name of parameterNames) dictionary[name]?.dispose();
}
