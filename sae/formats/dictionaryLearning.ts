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
import {
  fromForeign,
  transpose,
  type DictionaryWeights,
  type ForeignDictionary,
} from './dictionaryWeights.ts';
import { readPytorchFile, writePytorchFile } from './pytorchFile.ts';
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
  const tensors = await readPytorchFile(file);
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

export async function writeDictionaryLearning(folder: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d, threshold, k, bDec } = weights;
  const classes = { relu: 'AutoEncoder', topk: 'AutoEncoderTopK', jumprelu: 'JumpReluAutoEncoder' };
  const linear = {
    'encoder.weight': { shape: [latents, d], data: weights.wEnc },
    'encoder.bias': { shape: [latents], data: weights.bEnc },
    'decoder.weight': { shape: [d, latents], data: transpose(weights.wDec, latents, d) },
  };
  if (architecture === 'relu')
    await writePytorchFile(join(folder, 'ae.pt'), { bias: { shape: [d], data: bDec }, ...linear });
  else if (architecture === 'topk')
    await writePytorchFile(join(folder, 'ae.pt'), {
      b_dec: { shape: [d], data: bDec },
      k: { shape: [], data: BigInt64Array.of(BigInt(k ?? 0)) },
      // Their sign for "not learnt yet: choose by k".
      threshold: { shape: [], data: Float32Array.of(-1) },
      ...linear,
    });
  else
    await writePytorchFile(join(folder, 'ae.pt'), {
      W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
      b_enc: { shape: [latents], data: weights.bEnc },
      W_dec: { shape: [latents, d], data: weights.wDec },
      b_dec: { shape: [d], data: bDec },
      threshold: { shape: [latents], data: threshold ?? new Float32Array(latents) },
    });
  await writeJsonAtomic(join(folder, 'config.json'), {
    trainer: {
      dict_class: classes[architecture],
      activation_dim: d,
      dict_size: latents,
      lm_name: weights.model,
      submodule_name: weights.hook,
      ...(k !== null && { k }),
    },
  });
}
