/**
 * dictionary_learning: a folder with ae.pt (a state dict) and, usually, config.json
 * (github.com/saprmarks/dictionary_learning, dictionary.py and trainers/). config.json names the class. Without it the
 * class follows from the tensors' names, but for AutoEncoderTopK and BatchTopKSAE, which have the same ones and compute
 * different activations.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import {
  crosscoderClasses,
  crosscoderRefusal,
  crosscoderTensors,
  readCrosscoder,
} from './crosscoderWeights.ts';
import {
  encoderBias,
  fromForeign,
  transpose,
  type DictionaryWeights,
  type ForeignDictionary,
  type ImportedDictionary,
  type Transposed,
} from './dictionaryWeights.ts';
import { fromGated, toGated } from './foldWeights.ts';
import { NamedTensors } from './namedTensors.ts';
import { openPytorchFile } from './pytorchFile.ts';
import { writePytorchFile } from './writePytorchFile.ts';
import { readJson } from './readJson.ts';

const configSchema = z.looseObject({
  trainer: z
    .looseObject({
      dict_class: z.string().nullish(),
      lm_name: z.string().nullish(),
      submodule_name: z.string().nullish(),
    })
    .nullish(),
});

export const dictionaryLearningClasses = [
  'AutoEncoder',
  'AutoEncoderNew',
  'AutoEncoderTopK',
  'BatchTopKSAE',
  'MatryoshkaBatchTopKSAE',
  'JumpReluAutoEncoder',
  'GatedAutoEncoder',
  ...crosscoderClasses,
] as const;
export type DictionaryLearningClass = (typeof dictionaryLearningClasses)[number];

/**
 * `path` is the folder, or an ae.pt alone; `asked` the class, where the person says it. Throws `bad_input` when the class
 * is unknown or can't be told, and as `NamedTensors` does.
 */
export async function readDictionaryLearning(
  path: string,
  asked?: string,
  transposed?: Transposed,
): Promise<ImportedDictionary> {
  const file = path.endsWith('.pt') ? path : join(path, 'ae.pt');
  const opened = openPytorchFile(file);
  const prefix = commonPrefix(opened.names);
  const tensors = new NamedTensors(
    file,
    opened.names.map((name) => name.slice(prefix.length)),
    (name) => ({ shape: opened.shape(prefix + name), data: opened.float32(prefix + name) }),
  );
  const configPath = join(file, '..', 'config.json');
  const trainer = existsSync(configPath) ? (await readJson(configPath, configSchema)).trainer : undefined;
  const name = classOf(tensors, asked ?? trainer?.dict_class ?? opened.className?.split('.').at(-1));
  const dictionary = readers[name](tensors, {
    source: file,
    kind: `dictionary_learning ${name}`,
    transposed,
    hook: trainer?.submodule_name,
    model: trainer?.lm_name,
  });
  tensors.refuseUnread(name);
  return dictionary;
}

/** What wrappers put before every name, for example `_orig_mod.` of a compiled module. */
function commonPrefix(names: readonly string[]): string {
  const [first = ''] = names;
  const end = first.indexOf('.') + 1;
  const prefix = first.slice(0, end);
  if (end === 0 || prefix === 'encoder.' || prefix === 'decoder.') return '';
  if (!names.every((name) => name.startsWith(prefix))) return '';
  return prefix + commonPrefix(names.map((name) => name.slice(end)));
}

function classOf(tensors: NamedTensors, named: string | null | undefined): DictionaryLearningClass {
  if (named !== null && named !== undefined) {
    const known = dictionaryLearningClasses.find((name) => name === named);
    if (known) return known;
    throw new LazyscopeError(
      'bad_input',
      `'${tensors.source}' is of class '${named}'; ${dictionaryLearningClasses.join(', ')} can be read: if it computes what one of these does, say so with --class.`,
    );
  }
  if (tensors.has('code_normalization_id')) return tensors.has('k') ? 'BatchTopKCrossCoder' : 'CrossCoder';
  if (tensors.has('r_mag')) return 'GatedAutoEncoder';
  if (tensors.has('group_sizes')) return 'MatryoshkaBatchTopKSAE';
  if (tensors.has('k'))
    throw new LazyscopeError(
      'bad_input',
      `'${tensors.source}' has no config.json, and AutoEncoderTopK and BatchTopKSAE have the same tensors: say with --class which of them it is.`,
    );
  if (tensors.has('W_enc')) return 'JumpReluAutoEncoder';
  return tensors.has('decoder.bias') ? 'AutoEncoderNew' : 'AutoEncoder';
}

type Common = Pick<ForeignDictionary, 'source' | 'kind' | 'hook' | 'model' | 'transposed'>;

/** The matrices of `nn.Linear`. */
const linear = (tensors: NamedTensors) =>
  ({
    wEnc: tensors.tensor('encoder.weight'),
    wDec: tensors.tensor('decoder.weight'),
    layout: { wEnc: 'latents × d', wDec: 'd × latents' },
  }) as const;
/** The matrices of classes that hold them as parameters of their own, with both biases. */
const bare = (tensors: NamedTensors) =>
  ({
    wEnc: tensors.tensor('W_enc'),
    wDec: tensors.tensor('W_dec'),
    bEnc: tensors.tensor('b_enc'),
    bDec: tensors.tensor('b_dec'),
    layout: { wEnc: 'd × latents', wDec: 'latents × d' },
  }) as const;

const readers: Record<
  DictionaryLearningClass,
  (tensors: NamedTensors, common: Common) => ImportedDictionary
> = {
  AutoEncoder: (tensors, common) =>
    fromForeign({
      ...common,
      ...linear(tensors),
      architecture: 'relu',
      bEnc: tensors.tensor('encoder.bias'),
      bDec: tensors.tensor('bias'),
      subtractsDecoderBias: true,
    }),
  AutoEncoderNew: (tensors, common) =>
    fromForeign({
      ...common,
      ...linear(tensors),
      architecture: 'relu',
      bEnc: tensors.tensor('encoder.bias'),
      bDec: tensors.tensor('decoder.bias'),
      subtractsDecoderBias: false,
    }),
  AutoEncoderTopK: (tensors, common) => {
    // Kept for `use_threshold`, which is off unless a caller asks for it.
    tensors.ignore('threshold');
    return fromForeign({
      ...common,
      ...linear(tensors),
      architecture: 'topk',
      bEnc: tensors.tensor('encoder.bias'),
      bDec: tensors.tensor('b_dec'),
      k: tensors.number('k'),
      subtractsDecoderBias: true,
    });
  },
  // At inference both BatchTopK classes keep what exceeds one learnt threshold.
  BatchTopKSAE: (tensors, common) =>
    fromForeign({
      ...common,
      ...linear(tensors),
      architecture: 'batchtopk',
      k: tensors.number('k'),
      bEnc: tensors.tensor('encoder.bias'),
      bDec: tensors.tensor('b_dec'),
      threshold: tensors.tensor('threshold'),
      subtractsDecoderBias: true,
      folded: oneThreshold,
    }),
  // All groups are active in a dictionary that was loaded.
  MatryoshkaBatchTopKSAE: (tensors, common) =>
    fromForeign({
      ...common,
      ...bare(tensors),
      architecture: 'matryoshka',
      k: tensors.number('k'),
      prefixes: sums(tensors.tensor('group_sizes').data),
      threshold: tensors.tensor('threshold'),
      subtractsDecoderBias: true,
      folded: oneThreshold,
    }),
  JumpReluAutoEncoder: (tensors, common) =>
    fromForeign({
      ...common,
      ...bare(tensors),
      architecture: 'jumprelu',
      threshold: tensors.tensor('threshold'),
      subtractsDecoderBias: false,
    }),
  GatedAutoEncoder: (tensors, common) =>
    fromGated(
      { ...common, ...linear(tensors), bDec: tensors.tensor('decoder_bias'), subtractsDecoderBias: true },
      {
        rMag: tensors.tensor('r_mag').data,
        magnitudeBias: tensors.tensor('mag_bias').data,
        gateBias: tensors.tensor('gate_bias').data,
      },
    ),
  CrossCoder: (tensors, common) => readCrosscoder('CrossCoder', tensors, common),
  BatchTopKCrossCoder: (tensors, common) => readCrosscoder('BatchTopKCrossCoder', tensors, common),
};

/** Where each group ends. */
function sums(sizes: Float32Array): number[] {
  let end = 0;
  return Array.from(sizes, (size) => (end += size));
}

const oneThreshold = ['Its one threshold became the threshold of every latent.'];

/** The class of theirs for a dictionary; undefined where there is none. */
function classFor({ architecture, threshold }: DictionaryWeights): DictionaryLearningClass | undefined {
  if (architecture === 'gated') return 'GatedAutoEncoder';
  switch (describedArchitecture(architecture).inference.fires) {
    case 'positive':
      return 'AutoEncoder';
    case 'largest':
      return 'AutoEncoderTopK';
    case 'above threshold':
      // Theirs have one threshold for all latents.
      if (!threshold?.every((theta) => theta === threshold[0])) return 'JumpReluAutoEncoder';
      if (architecture === 'matryoshka') return 'MatryoshkaBatchTopKSAE';
      return architecture === 'batchtopk' ? 'BatchTopKSAE' : 'JumpReluAutoEncoder';
    case 'largest of its group':
    case 'by matching pursuit':
      return undefined;
  }
}

/** Why dictionary_learning can't hold the dictionary; undefined where it can. */
export function dictionaryLearningRefusal(weights: DictionaryWeights): string | undefined {
  const { architecture, transcoder, crosscoder, normalisation } = weights;
  if (normalisation)
    return `dictionary_learning has no place for the normalisation of each activation (${normalisation})`;
  if (transcoder) return 'dictionary_learning has no transcoders';
  if (crosscoder) return crosscoderRefusal(weights, crosscoder.widths);
  return classFor(weights) === undefined ? `dictionary_learning has no class for ${architecture}` : undefined;
}

/** Of a dictionary that `dictionaryLearningRefusal` says nothing against. */
export async function writeDictionaryLearning(folder: string, weights: DictionaryWeights): Promise<void> {
  const { latents, d, k, crosscoder } = weights;
  if (crosscoder) return writeCrosscoder(folder, weights, crosscoder.widths);
  const name = classFor(weights);
  if (name === undefined) throw new Error(dictionaryLearningRefusal(weights));
  await writePytorchFile(join(folder, 'ae.pt'), tensorsOf(weights, name));
  await writeJsonAtomic(join(folder, 'config.json'), {
    trainer: {
      dict_class: name,
      activation_dim: d,
      dict_size: latents,
      lm_name: weights.model,
      submodule_name: weights.hook,
      ...(k !== null && { k }),
      ...(name === 'MatryoshkaBatchTopKSAE' && { group_sizes: groupSizes(weights) }),
    },
  });
}

async function writeCrosscoder(
  folder: string,
  weights: DictionaryWeights,
  widths: readonly number[],
): Promise<void> {
  const { name, normalisation, tensors } = crosscoderTensors(weights, widths);
  await writePytorchFile(join(folder, 'ae.pt'), tensors);
  await writeJsonAtomic(join(folder, 'config.json'), {
    trainer: {
      dict_class: name,
      activation_dim: widths[0],
      dict_size: weights.latents,
      num_encoder_layers: widths.length,
      code_normalization: normalisation,
      lm_name: weights.model,
      submodule_name: weights.hook,
      ...(weights.k !== null && { k: weights.k }),
    },
  });
}

function groupSizes({ prefixes, latents }: DictionaryWeights): number[] {
  const ends = prefixes ?? [latents];
  return ends.map((end, i) => end - (ends[i - 1] ?? 0));
}

/** The state dict of the class; its encoder reads x − b_dec but in JumpReluAutoEncoder. */
function tensorsOf(
  weights: DictionaryWeights,
  name: DictionaryLearningClass,
): Parameters<typeof writePytorchFile>[1] {
  const { architecture, latents, d, threshold, k, bDec } = weights;
  const { subtractsDecoderBias } = describedArchitecture(architecture);
  const bEnc = encoderBias(weights, subtractsDecoderBias, name !== 'JumpReluAutoEncoder');
  const linear = {
    'encoder.weight': { shape: [latents, d], data: weights.wEnc },
    'encoder.bias': { shape: [latents], data: bEnc },
    'decoder.weight': { shape: [d, latents], data: transpose(weights.wDec, latents, d) },
  };
  switch (name) {
    case 'AutoEncoder':
      return { bias: { shape: [d], data: bDec }, ...linear };
    case 'GatedAutoEncoder': {
      const { rMag, magnitudeBias, gateBias } = toGated(weights);
      return {
        decoder_bias: { shape: [d], data: bDec },
        r_mag: { shape: [latents], data: rMag },
        gate_bias: { shape: [latents], data: gateBias },
        mag_bias: { shape: [latents], data: magnitudeBias },
        'encoder.weight': linear['encoder.weight'],
        'decoder.weight': linear['decoder.weight'],
      };
    }
    case 'AutoEncoderTopK':
    case 'BatchTopKSAE':
      return {
        b_dec: { shape: [d], data: bDec },
        k: { shape: [], data: BigInt64Array.of(BigInt(k ?? 0)) },
        // Their sign for a threshold that is not learnt yet, so that latents are chosen by k.
        threshold: { shape: [], data: Float32Array.of(threshold?.[0] ?? -1) },
        ...linear,
      };
    case 'MatryoshkaBatchTopKSAE': {
      const sizes = groupSizes(weights).map(BigInt);
      return {
        b_dec: { shape: [d], data: bDec },
        k: { shape: [], data: BigInt64Array.of(BigInt(k ?? 0)) },
        threshold: { shape: [], data: Float32Array.of(threshold?.[0] ?? -1) },
        group_sizes: { shape: [sizes.length], data: BigInt64Array.from(sizes) },
        W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
        b_enc: { shape: [latents], data: bEnc },
        W_dec: { shape: [latents, d], data: weights.wDec },
      };
    }
    default:
      return {
        W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
        b_enc: { shape: [latents], data: bEnc },
        W_dec: { shape: [latents, d], data: weights.wDec },
        b_dec: { shape: [d], data: bDec },
        threshold: { shape: [latents], data: threshold ?? new Float32Array(latents) },
      };
  }
}
