/**
 * Crosscoders as dictionary_learning's fork has them (github.com/science-of-finetuning/dictionary_learning, classes CrossCoder and
 * BatchTopKCrossCoder; the package on PyPI has neither): encoder.weight [layers, d, latents], encoder.bias [latents], decoder.weight
 * [layers, latents, d] and decoder.bias [layers, d]. All layers have one width. A latent of a BatchTopKCrossCoder fires where its activation times a
 * number of its own, which code_normalization_id chooses, exceeds one threshold.
 */
import { LazyscopeError } from '../errors.ts';
import type { Layer } from '../spec/layers.ts';
import type { DictionaryWeights, ForeignDictionary, ImportedDictionary } from './dictionaryWeights.ts';
import type { ForeignMatrix, NamedTensors } from './namedTensors.ts';
import type { writePytorchFile } from './writePytorchFile.ts';

export const crosscoderClasses = ['CrossCoder', 'BatchTopKCrossCoder'] as const;
export type CrosscoderClass = (typeof crosscoderClasses)[number];

/** code_normalization_id, from 1: the sum of the layers' decoder norms, the norm of all together, a mixture of both, 1, and each layer for itself. */
const normalisations = ['CROSSCODER', 'SAE', 'MIXED', 'NONE', 'DECOUPLED'] as const;

/** The dictionary with the scales of its layers folded in, so that it acts on the activations as the model has them. */
export function withoutScales<W extends Pick<DictionaryWeights, 'wEnc' | 'wDec' | 'bDec'>>(
  weights: W,
  layers: readonly Layer[],
): W {
  const scales = layers.flatMap(({ width, scale }) => Array.from<number>({ length: width }).fill(scale));
  const d = scales.length;
  return {
    ...weights,
    wEnc: weights.wEnc.map((value, at) => value * scales[at % d]),
    wDec: weights.wDec.map((value, at) => value / scales[at % d]),
    bDec: weights.bDec.map((value, at) => value / scales[at]),
  };
}

/** Throws `corrupt` where the tensors don't fit one another, and `bad_input` for what computes something else than the dictionaries here. */
export function readCrosscoder(
  name: CrosscoderClass,
  tensors: NamedTensors,
  {
    source,
    kind,
    hook,
    model,
    transposed = 'none',
  }: Pick<ForeignDictionary, 'source' | 'kind' | 'hook' | 'model' | 'transposed'>,
): ImportedDictionary {
  if (transposed !== 'none')
    throw new LazyscopeError(
      'bad_input',
      `'${source}' is a crosscoder, whose matrices have no transposition to say: leave it out.`,
    );
  const encoder = tensors.tensor('encoder.weight');
  const decoder = tensors.tensor('decoder.weight');
  const bEnc = tensors.tensor('encoder.bias');
  const bDec = tensors.tensor('decoder.bias');
  const [count = 0, width = 0, latents = 0] = encoder.shape;
  const expect = (what: string, { shape }: ForeignMatrix, wanted: readonly number[]) => {
    if (shape.join() !== wanted.join())
      throw new LazyscopeError(
        'corrupt',
        `'${source}' is not a crosscoder: ${what} is ${shape.join(' × ')} where ${wanted.join(' × ')} was expected.`,
      );
  };
  expect('encoder.weight', encoder, [count, width, bEnc.data.length]);
  expect('decoder.weight', decoder, [count, latents, width]);
  expect('decoder.bias', bDec, [count, width]);
  if (count < 2)
    throw new LazyscopeError(
      'bad_input',
      `'${source}' is a crosscoder of ${count} layer, and there are several hook points to one.`,
    );
  const d = count * width;
  const [wEnc, wDec] = [new Float32Array(latents * d), new Float32Array(latents * d)];
  for (let layer = 0; layer < count; layer++)
    for (let i = 0; i < latents; i++)
      for (let j = 0; j < width; j++) {
        const at = i * d + layer * width + j;
        wEnc[at] = encoder.data[(layer * width + j) * latents + i];
        wDec[at] = decoder.data[(layer * latents + i) * width + j];
      }
  const read = {
    latents,
    d,
    wEnc,
    bEnc: bEnc.data,
    wDec,
    bDec: bDec.data,
    crosscoder: { widths: Array.from<number>({ length: count }).fill(width) },
    hook: hook ?? null,
    model: model ?? null,
    kind,
  };
  const id = tensors.has('code_normalization_id') ? tensors.number('code_normalization_id') : 1;
  // It weighs latents in training alone.
  if (name === 'CrossCoder') return { ...read, architecture: 'relu', threshold: null, k: null, folded: [] };
  const theta = tensors.number('threshold');
  const k = tensors.number('k');
  const normalisation = normalisations[id - 1];
  if (normalisation !== 'CROSSCODER' && normalisation !== 'SAE' && normalisation !== 'NONE')
    throw new LazyscopeError(
      'bad_input',
      `'${source}' weighs its latents by code normalisation ${normalisation ?? id}, which can't be read from its tensors: CROSSCODER, SAE and NONE can.`,
    );
  if (!(theta >= 0))
    throw new LazyscopeError(
      'bad_input',
      `'${source}' has no threshold yet (${theta}), so what fires depends on the batch: train it on until it has one.`,
    );
  if (!Number.isInteger(k) || k < 1 || k > latents)
    throw new LazyscopeError(
      'corrupt',
      `'${source}' is not a crosscoder: k is ${k} with ${latents} latents.`,
    );
  const sizes = latentSizes(read, normalisation);
  return {
    ...read,
    architecture: 'batchtopk',
    threshold: Float32Array.from(sizes, (size) => theta / size),
    k,
    folded:
      normalisation === 'NONE'
        ? ['Its one threshold became the threshold of every latent.']
        : ['Its one threshold, over the size of each latent, became the threshold of that latent.'],
  };
}

/** What the activation of each latent is multiplied by before it is compared with the threshold. */
function latentSizes(
  { wDec, latents, d, crosscoder }: Pick<DictionaryWeights, 'wDec' | 'latents' | 'd' | 'crosscoder'>,
  normalisation: 'CROSSCODER' | 'SAE' | 'NONE',
): Float64Array {
  const widths = normalisation === 'CROSSCODER' ? (crosscoder?.widths ?? [d]) : [d];
  return Float64Array.from({ length: latents }, (_, i) => {
    if (normalisation === 'NONE') return 1;
    let at = i * d;
    return widths.reduce((size, width) => {
      let square = 0;
      for (const end = at + width; at < end; at++) square += wDec[at] ** 2;
      return size + Math.sqrt(square);
    }, 0);
  });
}

/** Why dictionary_learning can't hold the crosscoder; undefined where it can. */
export function crosscoderRefusal(weights: DictionaryWeights, widths: readonly number[]): string | undefined {
  const { architecture, threshold } = weights;
  if (architecture !== 'relu' && architecture !== 'batchtopk')
    return `dictionary_learning's crosscoders are of ReLU and BatchTopK alone, and this one is of ${architecture}`;
  if (widths.some((other) => other !== widths[0]))
    return `dictionary_learning's crosscoders have layers of one width, and this one's are ${widths.join(', ')} wide`;
  if (architecture === 'batchtopk' && threshold && !oneThreshold(weights, threshold))
    return "dictionary_learning's crosscoders have one threshold, and this one has one for each latent";
  return undefined;
}

/** The one threshold that the crosscoder's are, by what each is multiplied with; undefined where they are several. */
function oneThreshold(weights: DictionaryWeights, threshold: Float32Array) {
  return (['NONE', 'CROSSCODER', 'SAE'] as const)
    .map((normalisation) => {
      const sizes = latentSizes(weights, normalisation);
      return { normalisation, thetas: Float64Array.from(threshold, (theta, i) => theta * sizes[i]) };
    })
    .find(({ thetas }) => thetas.every((theta) => Math.abs(theta - thetas[0]) <= 1e-6 * Math.abs(thetas[0])));
}

/** The class of theirs for a crosscoder that `crosscoderRefusal` says nothing against, and its state dict. */
export function crosscoderTensors(
  weights: DictionaryWeights,
  widths: readonly number[],
): { name: CrosscoderClass; normalisation: string; tensors: Parameters<typeof writePytorchFile>[1] } {
  const { architecture, latents, d, wEnc, wDec, bEnc, bDec, threshold, k } = weights;
  const [width] = widths;
  const count = widths.length;
  const [encoder, decoder] = [new Float32Array(latents * d), new Float32Array(latents * d)];
  for (let layer = 0; layer < count; layer++)
    for (let i = 0; i < latents; i++)
      for (let j = 0; j < width; j++) {
        const at = i * d + layer * width + j;
        encoder[(layer * width + j) * latents + i] = wEnc[at];
        decoder[(layer * latents + i) * width + j] = wDec[at];
      }
  const id = (normalisation: (typeof normalisations)[number]) => ({
    normalisation,
    code_normalization_id: {
      shape: [],
      data: BigInt64Array.of(BigInt(normalisations.indexOf(normalisation) + 1)),
    },
  });
  const common = {
    'encoder.weight': { shape: [count, width, latents], data: encoder },
    'encoder.bias': { shape: [latents], data: bEnc },
    'decoder.weight': { shape: [count, latents, width], data: decoder },
    'decoder.bias': { shape: [count, width], data: bDec },
  };
  if (architecture === 'relu' || !threshold) {
    const { normalisation, ...own } = id('CROSSCODER');
    return { name: 'CrossCoder', normalisation, tensors: { ...own, ...common } };
  }
  const chosen = oneThreshold(weights, threshold);
  if (!chosen) throw new Error(crosscoderRefusal(weights, widths));
  const { normalisation, ...own } = id(chosen.normalisation);
  return {
    name: 'BatchTopKCrossCoder',
    normalisation,
    tensors: {
      ...own,
      ...common,
      k: { shape: [], data: BigInt64Array.of(BigInt(k ?? 0)) },
      threshold: { shape: [], data: Float32Array.of(chosen.thetas[0]) },
    },
  };
}
