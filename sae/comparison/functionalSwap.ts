/**
 * The functional swap (METHODS.md §3): does a matched latent of b do as well as a's own? In a's reconstruction, latents of a are
 * replaced by their counterparts in b, activation and decoder row both, so that the whole path from input to output is exchanged.
 *
 *     x̂ = Σ_{i not replaced} f_i^A d_i^A  +  Σ_{i replaced} f_{m(i)}^B d_{m(i)}^B  +  b_dec^A
 *
 * *Choice*: b's activations are those of b as a whole, so that in a TopK dictionary the replacements compete with b's other latents.
 */
import type { Capture } from '../activations/openCapture.ts';
import type { SelectedRows } from '../activations/selectRows.ts';
import type { Autoencoder, SparseCode } from '../autoencoders/autoencoder.ts';
import { ReconstructionSums } from '../evaluation/reconstructionSums.ts';
import { contextLosses } from '../evaluation/contextLosses.ts';
import type { HookPoint } from '../models/hookPoints.ts';
import type { LanguageModel } from '../models/languageModel.ts';
import { pause } from '../pause.ts';
import { silent, type Report } from '../progress.ts';
import type { FunctionalSwap } from '../spec/manifests/comparison.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';
import { restrictedCode } from './restrictedCode.ts';

export interface SwapOptions {
  a: Autoencoder;
  b: Autoencoder;
  /** The hook point that both dictionaries read. */
  hook: HookPoint;
  capture: Capture;
  /** The capture without the rows that are left out. */
  rows: SelectedRows;
  /** The model that the capture was made with. */
  model: LanguageModel;
  /** [latents of a]: counterparts in b, −1 for none, and which of a's latents are shared. */
  match: Int32Array;
  shared: readonly boolean[];
  /** Held-out tokens to reconstruct, and tokens to run the model on. */
  maxTokens?: number;
  lossTokens?: number;
  report?: Report;
  signal?: AbortSignal | undefined;
}

type SwappedDictionary = Pick<Autoencoder, 'encode' | 'decode' | 'bDec' | 'latents' | 'd'>;

/** The latents of a mixed reconstruction: those of a that stay, and those of b that replace the others. */
interface Variant {
  keeps: Uint8Array; // [latents of a]
  takes: Uint8Array; // [latents of b]
  latents: number;
}

const rowsAtOnce = 2048;

export async function functionalSwap(options: SwapOptions): Promise<FunctionalSwap> {
  const { a, b, match, shared, capture, rows: selected, hook, model, report = silent, signal } = options;
  const replaced = (of: (latent: number) => boolean, standIns = true): Variant => {
    const keeps = new Uint8Array(a.latents).fill(1);
    const takes = new Uint8Array(b.latents);
    let latents = 0;
    match.forEach((j, i) => {
      if (j < 0 || !of(i)) return;
      keeps[i] = 0;
      if (standIns) takes[j] = 1;
      latents++;
    });
    return { keeps, takes, latents };
  };
  const variants = {
    own: replaced(() => false),
    shared: replaced((i) => shared[i]),
    matched: replaced(() => true),
    silenced: replaced((i) => shared[i], false),
  };
  const names = ['own', 'shared', 'matched', 'silenced'] as const;

  const tokens = Math.min(selected.heldOutRows, options.maxTokens ?? 16_384);
  const sums = names.map(() => new ReconstructionSums(a.d, a.latents));
  for (let done = 0; done < tokens; done += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, tokens - done);
    const start = selected.trainRows + done;
    await selected.streaming?.ready(hook, start, rows, [start + rows, selected.trainRows + tokens]);
    const x = selected.readRows(hook, start, rows);
    tf.tidy(() => {
      const codes = encodeBoth(a, b, tf.tensor2d(x, [rows, a.d]));
      names.forEach((name, v) =>
        sums[v].add(x, decodeMixed(a, b, codes, variants[name]).dataSync<'float32'>(), codes.a),
      );
    });
    report({ stage: 'functional swap', done: done + rows, total: tokens, unit: 'tokens' });
    await pause(signal, 'swapping latents');
  }

  const { contextLength, firstPosition, contexts, heldOutContexts } = capture.manifest;
  const sample = Math.min(heldOutContexts, Math.ceil((options.lossTokens ?? 4096) / contextLength));
  const first = contexts - heldOutContexts;
  const { crossEntropy } = await contextLosses({
    model,
    hook,
    tokens: capture.tokens.subarray(first * contextLength, (first + sample) * contextLength),
    contextLength,
    firstPosition,
    keepsOwn:
      selected.excluded.length === 0
        ? null
        : selected.excludedHeldOut.subarray(0, sample * capture.rowsPerContext),
    substitutes: Object.fromEntries(
      names.map((name) => [name, (x) => decodeMixed(a, b, encodeBoth(a, b, x), variants[name])]),
    ) as Record<(typeof names)[number], (x: Tensor2D) => Tensor2D>,
    signal,
  });
  const meanOver = (contexts: Float64Array) =>
    contexts.reduce((sum, value) => sum + value, 0) / contexts.length;
  const [own, standing, matched, silenced] = names.map((name, v) => ({
    latents: variants[name].latents,
    fvu: sums[v].metrics().fvu,
    crossEntropy: meanOver(crossEntropy[name]),
  }));
  return {
    tokens,
    lossTokens: sample * (contextLength - 1 - firstPosition),
    clean: meanOver(crossEntropy.clean),
    own,
    shared: standing,
    matched,
    silenced,
  };
}

interface Codes {
  a: SparseCode;
  b: SparseCode;
}

export function encodeBoth(
  a: Pick<Autoencoder, 'encode'>,
  b: Pick<Autoencoder, 'encode'>,
  x: Tensor2D,
): Codes {
  return { a: a.encode(x), b: b.encode(x) };
}

/** x̂ [rows, d] of the formula above, for one choice of replaced latents. */
export function decodeMixed(
  a: SwappedDictionary,
  b: SwappedDictionary,
  codes: Codes,
  { keeps, takes }: Pick<Variant, 'keeps' | 'takes'>,
): Tensor2D {
  return tf.tidy(() => {
    const own = a.decode(restrictedCode(codes.a, keeps));
    // b's decoder bias is taken out, because the reconstruction has a's already.
    const standIns = b.decode(restrictedCode(codes.b, takes)).sub<Tensor2D>(tf.tensor1d(b.bDec));
    return own.add<Tensor2D>(standIns);
  });
}
