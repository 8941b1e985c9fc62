/** Random dictionaries: unit rows without a preference, or with the covariance of the activations. */
import type { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { unitRows, type Directions } from '../directions.ts';
import type { Spectrum } from './activationSpectrum.ts';

/**
 * Where random directions come from, in a basis that both sides of a comparison have in common: `draw` gives unit rows [rows, d].
 * With one spectrum that is its eigenbasis, in which Σ^½ is a scale for each coordinate, and cosines are the same in every basis.
 */
export interface DirectionSource {
  readonly d: number;
  draw(rows: number, random: Random): Directions;
}

export function isotropicSource(d: number): DirectionSource {
  return { d, draw: (rows, random) => scaled(rows, new Float64Array(d).fill(1), random) };
}

/** Directions v ∝ Σ^½ g in the eigenbasis of `basis`, by default Σ's own. */
export function covarianceSource(spectrum: Spectrum, basis = spectrum): DirectionSource {
  const { d } = spectrum;
  const scale = spectrum.eigenvalues.map(Math.sqrt);
  return {
    d,
    draw(rows, random) {
      const own = scaled(rows, scale, random);
      if (basis === spectrum) return own;
      const data = tf.tidy(() => {
        const turn = tf.matMul(
          tf.tensor2d(spectrum.vectors, [d, d]),
          tf.tensor2d(basis.vectors, [d, d]),
          false,
          true,
        );
        return tf.matMul(tf.tensor2d(own.data, [rows, d]), turn).dataSync<'float32'>();
      });
      return { rows, d, data };
    },
  };
}

function scaled(rows: number, scale: Float64Array, random: Random): Directions {
  const d = scale.length;
  const data = random.normals(rows * d);
  for (let at = 0; at < data.length; at++) data[at] *= scale[at % d];
  return unitRows({ rows, d, data }, 'a random dictionary');
}
