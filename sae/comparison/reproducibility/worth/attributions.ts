/**
 * What each latent is worth to the model's prediction by the gradient: −Σ_t f_i(t) (W_dec[i] · ∂L/∂x(t)), the first-order estimate of
 * the change of the loss when the latent's activation is set to 0 (attribution patching, as in Marks et al., 2403.19647, §3).
 */
import type { Autoencoder } from '../../../autoencoders/autoencoder.ts';
import { lossGradients, type LossGradientOptions } from '../../../evaluation/lossGradient.ts';
import { tf } from '../../../tensor/tf.ts';

export interface Attributions {
  /** [latents]: nats, summed over the predicted tokens of all contexts. */
  readonly loss: Float64Array;
  /** [latents]: rows on which each fired. */
  readonly firings: Float64Array;
}

export interface AttributionOptions extends LossGradientOptions {
  /** 1 for each row that keeps its own activation, as in contextLosses; null for none. */
  keepsOwn?: Uint8Array | null | undefined;
  progress?: (contexts: number) => void;
}

export async function attributions(
  { wDec, latents, d, encode }: Pick<Autoencoder, 'wDec' | 'latents' | 'd' | 'encode'>,
  options: AttributionOptions,
): Promise<Attributions> {
  const { contextLength, firstPosition, keepsOwn } = options;
  const loss = new Float64Array(latents);
  const firings = new Float64Array(latents);
  const perContext = contextLength - firstPosition;
  for await (const { firstContext, x, gradient } of lossGradients(options)) {
    const contexts = x.length / (contextLength * d);
    const input = tf.tensor2d(x, [contexts * contextLength, d]);
    const code = encode(input);
    input.dispose();
    for (let context = 0; context < contexts; context++)
      for (let position = firstPosition; position < contextLength; position++) {
        if (keepsOwn?.[(firstContext + context) * perContext + position - firstPosition]) continue;
        const row = context * contextLength + position;
        for (let e = code.rowStart[row]; e < code.rowStart[row + 1]; e++) {
          const latent = code.indices[e];
          let slope = 0;
          for (let j = 0, at = row * d, to = latent * d; j < d; j++, at++, to++)
            slope += gradient[at] * wDec[to];
          loss[latent] -= code.values[e] * slope;
          firings[latent]++;
        }
      }
    options.progress?.(firstContext + contexts);
  }
  return { loss, firings };
}
