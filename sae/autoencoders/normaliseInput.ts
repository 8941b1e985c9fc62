/** Normalisation of each activation by itself, as SAELens does it at run time (sae_lens/saes/sae.py). */
import type { InputNormalisation } from '../spec/inputNormalisations.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

/** Added to the standard deviation, but not where a reconstruction is brought back. */
const epsilon = 1e-5;

/** Size and centre of each row: the encoder reads (x − shift)/divisor, and its reconstruction is multiplied by `factor` and moved by `shift`. */
export interface RowScales {
  readonly divisor: Tensor2D; // [rows, 1]
  readonly factor: Tensor2D; // [rows, 1]
  /** [rows, 1]; null for none. */
  readonly shift: Tensor2D | null;
}

/** Those of x [rows, d], the caller's to dispose. */
export function rowScales(x: Tensor2D, normalisation: InputNormalisation): RowScales {
  const [, d] = x.shape;
  if (normalisation === 'constant norm') {
    const divisor = tf.tidy(() => x.norm('euclidean', 1, true).div<Tensor2D>(Math.sqrt(d)));
    return { divisor, factor: divisor, shift: null };
  }
  const shift = x.mean<Tensor2D>(1, true);
  // Of a sample, as PyTorch's std.
  const factor = tf.tidy(() => {
    const squares = x.sub<Tensor2D>(shift).square();
    return squares
      .sum(1, true)
      .div(Math.max(1, d - 1))
      .sqrt() as Tensor2D;
  });
  return { divisor: factor.add<Tensor2D>(epsilon), factor, shift };
}

/** (x − shift)/divisor [rows, d]; a row of zeros stays one. */
export function normalised(x: Tensor2D, { divisor, shift }: RowScales): Tensor2D {
  return tf.tidy(() => tf.divNoNan(shift ? x.sub(shift) : x, divisor) as Tensor2D);
}

/** x̂ of the activations as they were, from that of normalised ones [rows, d]. */
export function denormalised(reconstruction: Tensor2D, { factor, shift }: RowScales): Tensor2D {
  return tf.tidy(() => {
    const sized = reconstruction.mul<Tensor2D>(factor);
    return shift ? sized.add<Tensor2D>(shift) : sized;
  });
}

export function disposeScales({ divisor, factor, shift }: RowScales): void {
  tf.dispose([divisor, factor]);
  shift?.dispose();
}
