/**
 * A language model's losses when latents of a dictionary are taken out of the stream: x becomes x − Σ f_i d_i over those latents, so that
 * the other latents and what the dictionary does not explain stay as they are.
 */
import type { Autoencoder, SparseCode } from '../../../autoencoders/autoencoder.ts';
import {
  contextLosses,
  type ContextLosses,
  type ContextLossOptions,
} from '../../../evaluation/contextLosses.ts';
import { tf, type Tensor2D } from '../../../tensor/tf.ts';
import { restrictedCode } from '../../restrictedCode.ts';

/** Where the losses are measured. */
export type LossPlace = Omit<ContextLossOptions<string>, 'substitutes' | 'diverging' | 'progress'>;

/** Substitutes whose streams are held at once. */
const atOnce = 20;

/**
 * By name, the losses without the latents that are 1 in `removed` [latents], and those of the model as it is under `clean`. Divergences
 * are measured of all of them if `diverging`.
 */
export async function lossesWithout(
  dictionary: Autoencoder,
  removed: ReadonlyMap<string, Uint8Array>,
  { place, diverging, progress }: { place: LossPlace; diverging: boolean; progress?: (done: number) => void },
): Promise<ContextLosses<string>> {
  const found: ContextLosses<string> = { crossEntropy: {}, divergence: {} };
  const names = [...removed.keys()];
  for (let from = 0; from < names.length; from += atOnce) {
    const some = names.slice(from, from + atOnce);
    const part = await contextLosses({
      ...place,
      substitutes: substitutesOf(dictionary, new Map(some.map((name) => [name, removed.get(name)!]))),
      ...(diverging && { diverging: some }),
    });
    Object.assign(found.crossEntropy, part.crossEntropy);
    Object.assign(found.divergence, part.divergence);
    progress?.(from + some.length);
  }
  return found;
}

function substitutesOf(dictionary: Autoencoder, removed: ReadonlyMap<string, Uint8Array>) {
  const [firstName] = removed.keys();
  // All substitutes are given the same activations of a batch, the first of them first.
  let code: SparseCode | undefined;
  return Object.fromEntries(
    Array.from(removed, ([name, latents]) => [
      name,
      (x: Tensor2D) => {
        if (name === firstName || !code) code = dictionary.encode(x);
        const own = restrictedCode(code, latents);
        return tf.tidy(() => {
          const added = dictionary.decode(own).sub(tf.tensor1d(dictionary.bDec));
          return x.sub<Tensor2D>(added);
        });
      },
    ]),
  );
}
