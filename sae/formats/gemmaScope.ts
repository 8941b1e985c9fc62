/**
 * Gemma Scope: params.npz with W_enc [d, latents], W_dec [latents, d], b_enc, b_dec and threshold; JumpReLU without
 * a pre-encoder bias (Lieberum et al., 2408.05147, and the tutorial that comes with the weights).
 */
import { LazyscopeError } from '../errors.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import { encoderBias, fromForeign, transpose, type DictionaryWeights } from './dictionaryWeights.ts';
import { readNpz, writeNpz } from './npz.ts';

/** `path` is the params.npz. */
export async function readGemmaScope(path: string): Promise<DictionaryWeights> {
  const arrays = await readNpz(path);
  const array = (name: string) => {
    const found = arrays.get(name);
    if (!found)
      throw new LazyscopeError('corrupt', `'${path}' has no array '${name}', so it is not of Gemma Scope.`);
    return found;
  };
  return fromForeign({
    source: path,
    architecture: 'jumprelu',
    wEnc: array('W_enc'),
    wDec: array('W_dec'),
    bEnc: array('b_enc'),
    bDec: array('b_dec'),
    threshold: array('threshold'),
    layout: { wEnc: 'd × latents', wDec: 'latents × d' },
    subtractsDecoderBias: false,
  });
}

/** ReLU is JumpReLU with θ = 0 and is written as such; what fires by rank is refused with `bad_input`. */
export async function writeGemmaScope(path: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d } = weights;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  if (inference.fires === 'largest')
    throw new LazyscopeError(
      'bad_input',
      `Gemma Scope holds no ${architecture} dictionaries: export to saelens or sparsify.`,
    );
  await writeNpz(path, {
    W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
    W_dec: { shape: [latents, d], data: weights.wDec },
    b_enc: { shape: [latents], data: encoderBias(weights, subtractsDecoderBias, false) },
    b_dec: { shape: [d], data: weights.bDec },
    threshold: { shape: [latents], data: weights.threshold ?? new Float32Array(latents) },
  });
}
