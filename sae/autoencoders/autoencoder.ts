/** A trained dictionary in use: encode, decode, reconstruct *raw* activations on the active backend. */
import { LazyscopeError } from '../errors.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { disposeEntries, firingEntries, sparseEntries } from '../ops/sparseEntries.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { Layer } from '../spec/layers.ts';
import { type ArchitectureName, describedArchitecture } from '../spec/architectures/architectures.ts';
import type { InputNormalisation } from '../spec/inputNormalisations.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { groupMaxEncode } from './groupMax.ts';
import { matchingPursuitEncode } from './matchingPursuit.ts';
import { denormalised, disposeScales, normalised, rowScales } from './normaliseInput.ts';
import { readDictionary, type StoredDictionary } from './dictionaryFile.ts';

/** Which latents fire, row by row: entries of row r are rowStart[r] … rowStart[r + 1] − 1; value > 0, ascending latent. */
export interface SparseCode {
  rows: number;
  rowStart: Int32Array; // [rows + 1]
  indices: Int32Array;
  values: Float32Array;
}

/** A trained dictionary in use. It acts on activations as the model gives them, without scaling. */
export interface Autoencoder {
  readonly architecture: ArchitectureName;
  /** Of a transcoder: the hook point whose activations `decode` and `reconstruct` predict; undefined for an autoencoder, which predicts x. */
  readonly outputHook?: string | undefined;
  /** Of a crosscoder: the hook points whose activations, times their scales and side by side, are x. */
  readonly layers?: readonly Layer[] | undefined;
  readonly d: number;
  /** Width of what is predicted, which is `d` but for some transcoders. */
  readonly outputWidth: number;
  readonly latents: number;
  /** How each activation is normalised before it is encoded, and its reconstruction brought back; undefined for none. */
  readonly normalisation?: InputNormalisation | undefined;
  readonly wEnc: Float32Array; // [latents, d]
  readonly bEnc: Float32Array; // [latents]
  /** [latents, outputWidth] */
  readonly wDec: Float32Array;
  readonly bDec: Float32Array; // [outputWidth]
  /** W_skip [outputWidth, d] of a skip transcoder. */
  readonly wSkip?: Float32Array | undefined;
  /** θ [latents], as stored: may be below 0, where a latent fires as if it were 0. Absent for architectures whose latents do not fire above a threshold. */
  readonly threshold?: Float32Array;
  /** x [rows, d] */
  encode(x: Tensor2D): SparseCode;
  /**
   * x̂ [rows, outputWidth], the caller's to dispose. A skip transcoder needs x [rows, d] too, of which it adds W_skip·x, and so does a dictionary
   * that normalises activations; both throw `bad_input` without it.
   */
  decode(code: SparseCode, x?: Tensor2D): Tensor2D;
  /** decode(encode(x)) without the round trip through the host's lists. */
  reconstruct(x: Tensor2D): Tensor2D;
  /** Frees the weights. */
  dispose(): void;
}

/** Throws `not_found` when the run has no such seed, `corrupt` when the file is damaged. */
export async function loadAutoencoder(store: StoreLayout, run: string, seed: number): Promise<Autoencoder> {
  return autoencoderFrom(await readDictionary(store.dictionary(run, seed)));
}

/** A stored dictionary, ready to encode and decode on the current backend. */
export function autoencoderFrom(stored: StoredDictionary): Autoencoder {
  const { latents, d, metadata } = stored;
  const { architecture, k, normalisation } = metadata;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  const wEnc = tf.tensor2d(stored.wEnc, [latents, d]);
  const outputWidth = stored.bDec.length;
  const wDec = tf.tensor2d(stored.wDec, [latents, outputWidth]);
  const wSkip = stored.wSkip ? tf.tensor2d(stored.wSkip, [outputWidth, d]) : null;
  const bEnc = tf.tensor1d(stored.bEnc);
  const bDec = tf.tensor1d(stored.bDec);
  // For kernels, a latent fires where z > θ alone.
  const threshold = stored.threshold && tf.tensor1d(stored.threshold.map((theta) => Math.max(theta, 0)));
  // A transcoder's decoder bias is of its outputs, and says nothing of its inputs; a crosscoder's encoder has none by definition.
  const centred = subtractsDecoderBias && metadata.outputHook === undefined && !metadata.layers;
  const encoder = { wEnc, bEnc, centre: centred ? bDec : null };

  function firing(x: Tensor2D) {
    if (x.shape[1] !== d)
      throw new LazyscopeError(
        'bad_input',
        `The dictionary reads activations of width ${d} but got ${x.shape[1]}.`,
      );
    const kernels = fusedKernels();
    switch (inference.fires) {
      case 'largest':
        return firingEntries(kernels.topKEncode(x, encoder, k ?? latents), null);
      case 'positive':
      case 'above threshold':
        return firingEntries(kernels.thresholdEncode(x, encoder, { threshold, bandwidth: 0 }), threshold);
      case 'largest of its group':
        return groupMaxEncode(x, encoder, k ?? latents);
      case 'by matching pursuit':
        if (!metadata.pursuit)
          throw new TypeError('A dictionary of matching pursuit must say when that ends.');
        return matchingPursuitEncode(x, { wDec, centre: encoder.centre }, metadata.pursuit);
    }
  }
  /** What the encoder reads: x, or x normalised. */
  function readBy<T>(x: Tensor2D, use: (read: Tensor2D) => T): T {
    if (!normalisation) return use(x);
    const scales = rowScales(x, normalisation);
    const read = normalised(x, scales);
    disposeScales(scales);
    try {
      return use(read);
    } finally {
      read.dispose();
    }
  }
  const decodeEntries = (entries: ReturnType<typeof firing>, x: Tensor2D | undefined) =>
    tf.tidy(() => {
      const decoded = fusedKernels().sparseDecode(entries, wDec).add<Tensor2D>(bDec);
      if (normalisation) {
        if (!x)
          throw new LazyscopeError(
            'bad_input',
            `A dictionary that normalises activations (${normalisation}) decodes with those that it read: what was asked for can't be computed with it.`,
          );
        return denormalised(decoded, rowScales(x, normalisation));
      }
      if (!wSkip) return decoded;
      if (!x)
        throw new LazyscopeError(
          'bad_input',
          'A skip transcoder decodes with the activations that it read: give them beside its latents.',
        );
      return decoded.add<Tensor2D>(tf.matMul(x, wSkip, false, true));
    });

  return {
    architecture,
    outputHook: metadata.outputHook,
    ...(metadata.layers && { layers: metadata.layers }),
    d,
    outputWidth,
    latents,
    ...(normalisation && { normalisation }),
    ...(stored.wSkip && { wSkip: stored.wSkip }),
    wEnc: stored.wEnc,
    bEnc: stored.bEnc,
    wDec: stored.wDec,
    bDec: stored.bDec,
    ...(stored.threshold && { threshold: stored.threshold }),
    encode(x) {
      const entries = readBy(x, firing);
      const code = {
        rows: entries.rows,
        rowStart: entries.rowStart.dataSync<'int32'>(),
        indices: entries.indices.dataSync<'int32'>(),
        values: entries.values.dataSync<'float32'>(),
      };
      disposeEntries(entries);
      return code;
    },
    decode({ rowStart, indices, values }, x) {
      const entries = sparseEntries(latents, rowStart, indices, values);
      try {
        return decodeEntries(entries, x);
      } finally {
        disposeEntries(entries);
      }
    },
    reconstruct(x) {
      const entries = readBy(x, firing);
      const decoded = decodeEntries(entries, x);
      disposeEntries(entries);
      return decoded;
    },
    dispose() {
      tf.dispose([wEnc, wDec, bEnc, bDec]);
      threshold?.dispose();
      wSkip?.dispose();
    },
  };
}
