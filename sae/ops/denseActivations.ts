/** The pre-activations and activations of a whole batch as dense [batch, latents] matrices. */
import { tf, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import type { Encoder } from './fusedKernels.ts';
import { denseFromEntries, type Entries } from './sparseEntries.ts';

/** z = W_enc (x − centre) + b_enc, [batch, latents]. */
export function preActivations(x: Tensor2D, { wEnc, bEnc, centre }: Encoder): Tensor2D {
  return tf.tidy(() =>
    tf.matMul<Tensor2D>(centre ? x.sub(centre) : x, wEnc, false, true).add<Tensor2D>(bEnc),
  );
}

/** z [batch, latents] from entries; −∞ where a list has no entry. The caller disposes it. */
export function densePreActivations(entries: Entries): Tensor2D {
  return entries.kind === 'dense' ? entries.values.clone() : denseFromEntries(entries, -Infinity);
}

/** Boolean [batch, latents]: where a latent fires, which is where z > θ or z is NaN, and nowhere for a θ that is NaN. θ is 0 where `threshold` is null. */
export function firing(z: Tensor2D, threshold: Tensor1D | null): Tensor2D {
  return tf.tidy(() => tf.logicalOr(tf.greater(z, threshold ?? tf.scalar(0)), tf.isNaN(z)));
}

/** The latents' activations f [batch, latents]: z where a latent fires, 0 elsewhere. */
export function latentActivations(z: Tensor2D, threshold: Tensor1D | null): Tensor2D {
  return tf.tidy(() => tf.where(firing(z, threshold), z, tf.zerosLike(z)) as Tensor2D);
}
