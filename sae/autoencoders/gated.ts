/**
 * Gated autoencoder (Rajamanoharan et al., 2404.16014, §3.2; METHODS.md §1). One set of encoder weights decides which latents
 * fire and how strongly: `π = (x − b_dec)·W_encᵀ + b_gate`, `m = exp(r)·(π − b_gate) + b_mag`, `f = H(π)·ReLU(m)`.
 * The step has no derivative, so the gate learns from a second reconstruction, from ReLU(π) by a decoder held constant:
 * `L = mean_b[‖x − x̂(f)‖² + λ Σ_i ReLU(π_i) + ‖x − x̂(ReLU(π))‖²]`. Here b_enc is b_gate.
 */
import { disposeComputed } from '../ops/computed.ts';
import type { DictionaryTensors } from '../ops/fusedKernels.ts';
import { disposeEntries, type Entries } from '../ops/sparseEntries.ts';
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Architecture } from './architecture.ts';
import type { DictionaryArrays } from './dictionary.ts';
import { withoutGradient } from './keepLargest.ts';
import { measure } from './measure.ts';
import { predicted } from './predicted.ts';
import { topK, unitRows } from './topK.ts';
import { total } from './total.ts';

export interface GatedLoss {
  loss: Scalar;
  mse: Scalar;
  sparsity: Scalar;
  auxiliary: Scalar;
  activations: Tensor2D; // f [batch, latents]
  reconstruction: Tensor2D; // x̂ [batch, d]
}

/** The definition, for autodiff. `p.rMag` and `p.bMag` must not be null. With `target`, that of a transcoder. */
export function gatedLoss(
  p: DictionaryTensors,
  x: Tensor2D,
  sparsityCoefficient: number,
  target?: Tensor2D,
): GatedLoss {
  const { rMag, bMag } = own(p);
  const y = target ?? x;
  const products = tf.matMul(target ? x : x.sub<Tensor2D>(p.bDec), p.wEnc, false, true);
  const gate = products.add<Tensor2D>(p.bEnc);
  const magnitudes = tf.relu(products.mul<Tensor2D>(rMag.exp()).add<Tensor2D>(bMag));
  const open = withoutGradient(gate, (g) => tf.greater(g, 0).cast('float32'));
  const activations = magnitudes.mul<Tensor2D>(open);
  const reconstruction = predicted(p, activations, x);
  const mse = y.sub(reconstruction).square().sum(1).mean<Scalar>();
  const byGate = tf.relu(gate);
  const frozen = <T extends Tensor>(tensor: T) => withoutGradient(tensor, (t) => t.clone());
  const decoder = { wDec: frozen(p.wDec), bDec: frozen(p.bDec), wSkip: p.wSkip && frozen(p.wSkip) };
  const explained = predicted(decoder, byGate, x);
  const sparsity = byGate.sum(1).mean<Scalar>().mul<Scalar>(sparsityCoefficient);
  const auxiliary = y.sub(explained).square().sum(1).mean<Scalar>();
  return { loss: mse.add(sparsity).add(auxiliary), mse, sparsity, auxiliary, activations, reconstruction };
}

function own<T>({ rMag, bMag }: { rMag?: T | null; bMag?: T | null }): { rMag: T; bMag: T } {
  if (!rMag || !bMag) throw new TypeError('A gated dictionary needs rMag and bMag.');
  return { rMag, bMag };
}

/** Entries with the magnitudes m in place of the gate's π, and 0 where π ≤ 0. They share everything else with `entries`. */
function magnitudesOf(
  entries: Entries,
  { bGate, gain, bMag }: { bGate: Tensor1D; gain: Tensor1D; bMag: Tensor1D },
): Entries {
  const shift = tf.tidy(() => bMag.sub<Tensor1D>(bGate.mul(gain)));
  const at = (vector: Tensor1D) => (entries.kind === 'dense' ? vector : tf.gather(vector, entries.indices));
  const values = tf.tidy(() => {
    const pi = entries.values as Tensor;
    const m = pi.mul(at(gain)).add(at(shift));
    // Written so that NaN stays NaN and is noticed.
    return tf.where(tf.lessEqual(pi, 0), tf.zerosLike(m), m);
  });
  shift.dispose();
  return entries.kind === 'dense'
    ? { ...entries, values: values as Tensor2D }
    : { ...entries, values: values as Tensor1D };
}

export const gated: Architecture<'gated'> = {
  unitNormDecoder: true,
  inputScale: (d, norms) => topK.inputScale(d, norms),

  /** As TopK's, with r = 0 and b_mag = 0: at first magnitudes are the gate's pre-activations. */
  initialise: ({ width }, _sample, median, rows) => ({
    ...unitRows(median, rows),
    rMag: new Float32Array(width),
    bMag: new Float32Array(width),
  }),

  forward(kernels, parameters, batch, _config, settings) {
    const { sparsityCoefficient, expected } = settings;
    const { x, target } = batch;
    const [rows] = x.shape;
    const wDec = parameters.wDec as Tensor2D;
    const bDec = parameters.bDec as Tensor1D;
    const bGate = parameters.bEnc as Tensor1D;
    const { rMag, bMag } = own(parameters);
    const gain = tf.exp<Tensor1D>(rMag as Tensor1D);
    const encoder = { wEnc: parameters.wEnc as Tensor2D, bEnc: bGate, centre: target ? null : bDec };
    const open = kernels.thresholdEncode(x, encoder, { threshold: null, bandwidth: 0, expected });
    const entries = magnitudesOf(open, { bGate, gain, bMag: bMag as Tensor1D });
    const firings = kernels.firings(entries, null);
    const decoder = { wDec, bias: bDec };
    const { error, dots, squaredError } = kernels.reconstruct(entries, null, decoder, target ?? x);
    const byGate = kernels.reconstruct(open, null, decoder, target ?? x);
    byGate.error.dispose();
    return {
      request: {
        parameters,
        x,
        subtractsDecoderBias: !target,
        main: { entries, error, dots, scale: 2 / rows },
        auxiliary: null,
        l1: 0,
        jump: null,
        gate: {
          entries: open,
          dots: byGate.dots,
          scale: 2 / rows,
          l1: sparsityCoefficient / rows,
          gain,
        },
      },
      squaredError,
      penalty: (step) => step.sparsityCoefficient / rows,
      async measure(withLoss, step = settings) {
        const made = { entries, firings, squaredError };
        if (!withLoss) return measure(kernels, batch, made, null);
        const opened = kernels.firings(open, null);
        try {
          return await measure(kernels, batch, made, {
            parts: [byGate.squaredError, opened.sums],
            loss: ({ mse }, [auxiliary, sums]) =>
              mse + (auxiliary[0] + step.sparsityCoefficient * total(sums)) / rows,
          });
        } finally {
          disposeComputed(opened.counts, opened.sums);
        }
      },
      dispose() {
        disposeEntries(open);
        entries.values.dispose();
        disposeComputed(squaredError, byGate.squaredError, firings.counts, firings.sums);
        tf.dispose([error, dots, byGate.dots, gain]);
      },
    };
  },

  /** W_enc·exp(r) and b_mag: what makes the magnitudes is all that is left of the encoder. */
  finished(parameters) {
    const { rMag, bMag } = own<Float32Array>(parameters);
    const d = parameters.wEnc.length / parameters.bEnc.length;
    const wEnc = parameters.wEnc.map((value, at) => value * Math.exp(rMag[Math.floor(at / d)]));
    return { wEnc, bEnc: bMag };
  },

  /** The gate is open where m exceeds θ = b_mag − exp(r)·b_gate. */
  thresholds(parameters: DictionaryArrays) {
    const { rMag, bMag } = own<Float32Array>(parameters);
    return bMag.map((bias, i) => bias - Math.exp(rMag[i]) * parameters.bEnc[i]);
  },
};
