/**
 * SAELens: a folder with cfg.json and sae_weights.safetensors; W_enc [d, latents], W_dec [latents, d]
 * (github.com/jbloomAus/SAELens, sae_lens/saes/sae.py).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { InferenceRule } from '../spec/architectures/architecture.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import { fromForeign, transpose, type DictionaryWeights } from './dictionaryWeights.ts';
import { readJson } from './readJson.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const place = z.looseObject({ hook_name: z.string().nullish(), model_name: z.string().nullish() });
const configSchema = z.looseObject({
  architecture: z.string().default('standard'),
  activation_fn: z.string().nullish(),
  activation_fn_str: z.string().nullish(),
  activation_fn_kwargs: z.looseObject({ k: z.int().optional() }).nullish(),
  k: z.int().nullish(),
  apply_b_dec_to_input: z.boolean().default(true),
  normalize_activations: z.string().default('none'),
  rescale_acts_by_decoder_norm: z.boolean().nullish(),
  finetuning_scaling_factor: z.boolean().nullish(),
  ...place.shape,
  /** Version 6 keeps these one level down, under one of two names. */
  metadata: place.nullish(),
  meta: place.nullish(),
});

const ours = { standard: 'relu', topk: 'topk', jumprelu: 'jumprelu' } as const;

export async function readSaelens(folder: string): Promise<DictionaryWeights> {
  const path = join(folder, 'cfg.json');
  const config = await readJson(path, configSchema);
  const refuse = (why: string) => new LazyscopeError('bad_input', `'${path}' ${why}.`);
  // Before version 5, TopK was a standard autoencoder with another activation function.
  const activation = config.activation_fn ?? config.activation_fn_str;
  const named = config.architecture === 'standard' && activation === 'topk' ? 'topk' : config.architecture;
  if (named !== 'standard' && named !== 'topk' && named !== 'jumprelu')
    throw refuse(`is of architecture '${named}'; standard, topk and jumprelu can be read`);
  if (config.normalize_activations !== 'none')
    throw refuse(
      `normalises activations ('${config.normalize_activations}'); fold that into the weights with SAELens first`,
    );
  if (config.rescale_acts_by_decoder_norm)
    throw refuse('rescales activations by the decoder norm; fold that with fold_W_dec_norm in SAELens first');
  if (config.finetuning_scaling_factor)
    throw refuse('has a finetuning scaling factor, which is not supported');
  const file = await readSafetensors(join(folder, 'sae_weights.safetensors'));
  const tensor = (name: string) => ({ shape: file.shape(name), data: file.float32(name) });
  const at = config.metadata ?? config.meta ?? config;
  return fromForeign({
    source: file.path,
    architecture: ours[named],
    wEnc: tensor('W_enc'),
    wDec: tensor('W_dec'),
    bEnc: tensor('b_enc'),
    bDec: tensor('b_dec'),
    layout: { wEnc: 'd × latents', wDec: 'latents × d' },
    subtractsDecoderBias: config.apply_b_dec_to_input,
    threshold: file.has('threshold') ? tensor('threshold') : undefined,
    k: config.k ?? config.activation_fn_kwargs?.k,
    hook: at.hook_name ?? config.hook_name,
    model: at.model_name ?? config.model_name,
  });
}

/** SAELens's name for what fires by the same rule. */
const namesByRule = {
  positive: 'standard',
  largest: 'topk',
  'above threshold': 'jumprelu',
} as const satisfies Record<InferenceRule['fires'], string>;

/** The first version of SAELens that reads this layout. Without a version, SAELens takes a file for an older one and drops its metadata. */
const layoutVersion = '6.0.0';

export async function writeSaelens(folder: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d, threshold, k } = weights;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  await writeSafetensors(join(folder, 'sae_weights.safetensors'), {
    W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
    W_dec: { shape: [latents, d], data: weights.wDec },
    b_enc: { shape: [latents], data: weights.bEnc },
    b_dec: { shape: [d], data: weights.bDec },
    ...(threshold && { threshold: { shape: [latents], data: threshold } }),
  });
  await writeJsonAtomic(join(folder, 'cfg.json'), {
    architecture: namesByRule[inference.fires],
    d_in: d,
    d_sae: latents,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: subtractsDecoderBias,
    normalize_activations: 'none',
    reshape_activations: 'none',
    ...(k !== null && { k }),
    metadata: {
      sae_lens_version: layoutVersion,
      model_name: weights.model,
      hook_name: weights.hook,
      ...(weights.text && {
        dataset_path: weights.text.dataset,
        context_size: weights.text.contextLength,
        prepend_bos: weights.text.separatorFirst,
        seqpos_slice: [weights.text.firstPosition, null],
      }),
    },
  });
}
