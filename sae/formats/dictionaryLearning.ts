/**
 * dictionary_learning: a folder with ae.pt (a state dict) and, usually, config.json
 * (github.com/saprmarks/dictionary_learning, dictionary.py and trainers/). Its classes differ in their tensors'
 * names: AutoEncoder has `bias`, AutoEncoderNew `decoder.bias`, the TopK ones `b_dec` and `k`, JumpReLU `W_enc`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { InferenceRule } from '../spec/architectures/architecture.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import {
  encoderBias,
  fromForeign,
  transpose,
  type DictionaryWeights,
  type ForeignDictionary,
} from './dictionaryWeights.ts';
import { readPytorchFile } from './pytorchFile.ts';
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

/** `path` is the folder, or an ae.pt alone. */
export async function readDictionaryLearning(path: string): Promise<DictionaryWeights> {
  const file = path.endsWith('.pt') ? path : join(path, 'ae.pt');
  const tensors = readPytorchFile(file);
  const configPath = join(file, '..', 'config.json');
  const trainer = existsSync(configPath) ? (await readJson(configPath, configSchema)).trainer : undefined;
  const tensor = (name: string) => {
    const found = tensors.get(name);
    if (!found)
      throw new LazyscopeError('corrupt', `'${file}' has no tensor '${name}', so it is no known dictionary.`);
    return found;
  };
  const common = { source: file, hook: trainer?.submodule_name, model: trainer?.lm_name };
  if (tensors.has('r_mag'))
    throw new LazyscopeError(
      'bad_input',
      `'${file}' is a gated dictionary; standard, topk, batch topk and jumprelu can be read.`,
    );
  if (tensors.has('W_enc'))
    return fromForeign({
      ...common,
      architecture: 'jumprelu',
      wEnc: tensor('W_enc'),
      wDec: tensor('W_dec'),
      bEnc: tensor('b_enc'),
      bDec: tensor('b_dec'),
      threshold: tensor('threshold'),
      layout: { wEnc: 'd × latents', wDec: 'latents × d' },
      subtractsDecoderBias: false,
    });
  const linear = {
    ...common,
    wEnc: tensor('encoder.weight'),
    wDec: tensor('decoder.weight'),
    bEnc: tensor('encoder.bias'),
    layout: { wEnc: 'latents × d', wDec: 'd × latents' },
  } satisfies Partial<ForeignDictionary>;
  if (tensors.has('k')) {
    const topK = { ...linear, bDec: tensor('b_dec'), subtractsDecoderBias: true };
    // At inference BatchTopK keeps what exceeds one learnt threshold, which is JumpReLU.
    if (/Batch/i.test(trainer?.dict_class ?? ''))
      return fromForeign({ ...topK, architecture: 'jumprelu', threshold: tensor('threshold') });
    return fromForeign({ ...topK, architecture: 'topk', k: tensor('k').data[0] });
  }
  const old = tensors.has('bias');
  return fromForeign({
    ...linear,
    architecture: 'relu',
    bDec: tensor(old ? 'bias' : 'decoder.bias'),
    subtractsDecoderBias: old,
  });
}

/** The class of theirs whose latents fire by the same rule. */
const classes = {
  positive: 'AutoEncoder',
  largest: 'AutoEncoderTopK',
  'above threshold': 'JumpReluAutoEncoder',
} as const satisfies Record<InferenceRule['fires'], string>;

export async function writeDictionaryLearning(folder: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d, k } = weights;
  const { fires } = describedArchitecture(architecture).inference;
  await writePytorchFile(join(folder, 'ae.pt'), tensorsOf(weights, fires));
  await writeJsonAtomic(join(folder, 'config.json'), {
    trainer: {
      dict_class: classes[fires],
      activation_dim: d,
      dict_size: latents,
      lm_name: weights.model,
      submodule_name: weights.hook,
      ...(k !== null && { k }),
    },
  });
}

/** The state dict of the class; its encoder reads x − b_dec but in JumpReluAutoEncoder. */
function tensorsOf(
  weights: DictionaryWeights,
  fires: InferenceRule['fires'],
): Parameters<typeof writePytorchFile>[1] {
  const { architecture, latents, d, threshold, k, bDec } = weights;
  const { subtractsDecoderBias } = describedArchitecture(architecture);
  const bEnc = encoderBias(weights, subtractsDecoderBias, fires !== 'above threshold');
  const linear = {
    'encoder.weight': { shape: [latents, d], data: weights.wEnc },
    'encoder.bias': { shape: [latents], data: bEnc },
    'decoder.weight': { shape: [d, latents], data: transpose(weights.wDec, latents, d) },
  };
  switch (fires) {
    case 'positive':
      return { bias: { shape: [d], data: bDec }, ...linear };
    case 'largest':
      return {
        b_dec: { shape: [d], data: bDec },
        k: { shape: [], data: BigInt64Array.of(BigInt(k ?? 0)) },
        // Their sign for a threshold that is not learnt yet, so that latents are chosen by k.
        threshold: { shape: [], data: Float32Array.of(-1) },
        ...linear,
      };
    case 'above threshold':
      return {
        W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
        b_enc: { shape: [latents], data: bEnc },
        W_dec: { shape: [latents, d], data: weights.wDec },
        b_dec: { shape: [d], data: bDec },
        threshold: { shape: [latents], data: threshold ?? new Float32Array(latents) },
      };
  }
}
