/**
 * Steering: what a dictionary's latents are made to be, and what that puts at its hook point (METHODS.md §8).
 *
 *     Δ = Σ_i (f′_i − f_i) · d_i        x′ = x + Δ, or x̂ + Δ when the reconstruction is asked for
 *
 * with f_i the activation of latent i, f′_i what it is made to be and d_i its decoder row. x + Δ keeps x − x̂, what the
 * dictionary doesn't explain, so that Δ = 0 leaves the model as it is.
 */
import type { Autoencoder } from '../autoencoders/autoencoder.ts';
import { LazyscopeError } from '../errors.ts';
import type { InterventionKind } from '../spec/interventions.ts';
import { tf, type Tensor2D } from '../tensor/tf.ts';

/** What one latent is made to be. */
export interface Intervention {
  latent: number;
  kind: InterventionKind;
  /** In units of the latent's activation; without meaning for `ablate`. */
  value: number;
}

type Steered = Pick<Autoencoder, 'latents' | 'd' | 'wDec' | 'encode' | 'decode'>;

/** Throws `bad_input` for a latent that the dictionary doesn't have, one that is named twice, or a value that is not finite. */
export function checkInterventions(
  { latents }: Pick<Autoencoder, 'latents'>,
  interventions: readonly Intervention[],
  dictionary: string,
): void {
  const seen = new Set<number>();
  for (const { latent, value } of interventions) {
    if (!Number.isInteger(latent) || latent < 0 || latent >= latents)
      throw new LazyscopeError(
        'bad_input',
        `${dictionary} has no latent ${latent}: it has ${latents}, from 0.`,
      );
    if (seen.has(latent))
      throw new LazyscopeError(
        'bad_input',
        `Latent ${latent} of ${dictionary} is steered twice: name it once.`,
      );
    if (!Number.isFinite(value))
      throw new LazyscopeError(
        'bad_input',
        `Latent ${latent} of ${dictionary} can't be made ${value}: give a finite number.`,
      );
    seen.add(latent);
  }
}

/**
 * Δ [rows, d] of x [rows, d], the caller's to dispose. Rows of `leftOut` [rows], 1 for each that the dictionary was not
 * trained on, get none.
 */
export function steeringChange(
  dictionary: Steered,
  x: Tensor2D,
  interventions: readonly Intervention[],
  leftOut: Uint8Array | null,
): Tensor2D {
  const [rows, d] = x.shape;
  const change = new Float32Array(rows * interventions.length);
  const column = new Map(interventions.map(({ latent }, i) => [latent, i]));
  // Only adding doesn't ask what the activation is.
  const code = interventions.some(({ kind }) => kind !== 'add') ? dictionary.encode(x) : null;
  for (let row = 0; row < rows; row++) {
    if (leftOut?.[row] === 1) continue;
    const at = row * interventions.length;
    interventions.forEach(({ kind, value }, i) => {
      change[at + i] = kind === 'ablate' ? 0 : value;
    });
    if (!code) continue;
    for (let e = code.rowStart[row]; e < code.rowStart[row + 1]; e++) {
      const i = column.get(code.indices[e]);
      if (i !== undefined && interventions[i].kind !== 'add') change[at + i] -= code.values[e];
    }
  }
  const directions = new Float32Array(interventions.length * d);
  interventions.forEach(({ latent }, i) =>
    directions.set(dictionary.wDec.subarray(latent * d, (latent + 1) * d), i * d),
  );
  return tf.tidy(() => {
    const coefficients = tf.tensor2d(change, [rows, interventions.length]);
    return tf.matMul<Tensor2D>(coefficients, tf.tensor2d(directions, [interventions.length, d]));
  });
}

/** x̂ [rows, d] in place of x, except on rows of `leftOut`, which keep their own; the caller's to dispose. */
export function reconstructionOf(
  dictionary: Pick<Autoencoder, 'reconstruct'>,
  x: Tensor2D,
  leftOut: Uint8Array | null,
): Tensor2D {
  return tf.tidy(() => {
    const reconstruction = dictionary.reconstruct(x);
    if (!leftOut?.includes(1)) return reconstruction;
    const own = tf.tensor2d(Array.from(leftOut, Boolean), [leftOut.length, 1], 'bool');
    return tf.where(own, x, reconstruction) as Tensor2D;
  });
}
