/** Dictionaries for tests whose scores are known beforehand, on the toy language model's residual stream. */
import { autoencoderFrom, type Autoencoder } from '../autoencoders/autoencoder.ts';
import type { StoredDictionary } from '../autoencoders/dictionaryFile.ts';

export const toyHook = 'blocks.0.hook_resid_post';

export function storedDictionary(
  d: number,
  rows: { wEnc: number[][]; wDec: number[][]; bEnc?: number[]; bDec?: ArrayLike<number> },
): StoredDictionary {
  const latents = rows.wEnc.length;
  return {
    metadata: { architecture: 'relu', hook: toyHook, model: 'toy', run: 'known', seed: 0, scale: 1, k: null },
    latents,
    d,
    wEnc: Float32Array.from(rows.wEnc.flat()),
    bEnc: Float32Array.from(rows.bEnc ?? rows.wEnc.map(() => 0)),
    wDec: Float32Array.from(rows.wDec.flat()),
    bDec: Float32Array.from(rows.bDec ?? { length: d, 0: 0 }, (value) => value ?? 0),
    threshold: null,
  };
}

/** Latents j and d + j are coordinate j's positive and negative part; decoded `gain` times as large. */
export function identity(d: number, gain = 1): StoredDictionary {
  const unit = (j: number, value: number) => Array.from({ length: d }, (_, i) => (i === j ? value : 0));
  const rows = (value: number) => [
    ...Array.from({ length: d }, (_, j) => unit(j, value)),
    ...Array.from({ length: d }, (_, j) => unit(j, -value)),
  ];
  return storedDictionary(d, { wEnc: rows(1), wDec: rows(gain) });
}

/** Says the same of every token. */
export function constant(value: ArrayLike<number>): Autoencoder {
  const zeros = [Array.from({ length: value.length }, () => 0)];
  return autoencoderFrom(storedDictionary(value.length, { wEnc: zeros, wDec: zeros, bDec: value }));
}
