/** SAELens's cfg.json in all the forms that it has had, and what of it changes what a dictionary computes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { type InputNormalisation } from '../spec/inputNormalisations.ts';
import type { Pursuit } from '../spec/architectures/matchingpursuit.ts';
import { readJson } from './readJson.ts';

const place = z.looseObject({
  hook_name: z.string().nullish(),
  hook_name_out: z.string().nullish(),
  /** Of the first versions. */
  hook_point: z.string().nullish(),
  model_name: z.string().nullish(),
});
const configSchema = z.looseObject({
  architecture: z.string().default('standard'),
  d_in: z.int().positive().nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_str: z.string().nullish(),
  activation_fn_kwargs: z.looseObject({ k: z.int().optional() }).nullish(),
  k: z.number().nullish(),
  matryoshka_widths: z.array(z.int().positive()).nullish(),
  residual_threshold: z.number().nonnegative().default(0.01),
  max_iterations: z.int().positive().nullish(),
  stop_on_duplicate_support: z.boolean().default(true),
  apply_b_dec_to_input: z.boolean().default(true),
  normalize_activations: z.union([z.string(), z.boolean()]).nullish(),
  rescale_acts_by_decoder_norm: z.boolean().nullish(),
  finetuning_scaling_factor: z.boolean().nullish(),
  ...place.shape,
  /** Version 6 keeps these one level down, under one of two names. */
  metadata: place.nullish(),
  meta: place.nullish(),
});

export const saelensArchitectures = [
  'standard', 'topk', 'jumprelu', 'gated', 'batchtopk', 'matryoshka_batchtopk', 'abstopk', 'matching_pursuit',
] as const; // prettier-ignore
/** SAELens's transcoders, by what of them is an architecture here. */
export const saelensTranscoders = {
  transcoder: { architecture: 'standard', skips: false },
  skip_transcoder: { architecture: 'standard', skips: true },
  jumprelu_transcoder: { architecture: 'jumprelu', skips: false },
  jumprelu_skip_transcoder: { architecture: 'jumprelu', skips: true },
} as const;
export type SaelensArchitecture = (typeof saelensArchitectures)[number];

export interface SaelensConfig {
  path: string;
  architecture: SaelensArchitecture;
  k: number | undefined;
  /** Widths of Matryoshka's levels; none in other architectures. */
  prefixes: readonly number[];
  subtractsDecoderBias: boolean;
  rescalesByDecoderNorm: boolean;
  /** s, where the encoder reads s·x. */
  inputScale: number | null;
  /** Where the encoder reads whitened activations: the file that has the whitening. */
  whitening: string | null;
  /** How each activation is normalised by itself, which no fixed weights do. */
  normalisation: InputNormalisation | undefined;
  /** Of matching pursuit; null for others. */
  pursuit: Pursuit | null;
  /** Of transcoders; null for autoencoders. */
  transcoder: { outputHook: string | null; skips: boolean } | null;
  hook: string | null;
  model: string | null;
}

/** SAELens's names of what is done to each activation by itself. */
export const normalisations: ReadonlyMap<string | boolean, InputNormalisation> = new Map([
  ['layer_norm', 'layer norm'],
  ['constant_norm_rescale', 'constant norm'],
] as const);

/** Throws `bad_input` naming what makes the dictionary compute something that fixed weights here can't. */
export async function readSaelensConfig(folder: string): Promise<SaelensConfig> {
  const path = join(folder, 'cfg.json');
  const config = await readJson(path, configSchema);
  const refuse = (why: string) => new LazyscopeError('bad_input', `'${path}' ${why}.`);
  const activation = config.activation_fn ?? config.activation_fn_str ?? 'relu';
  // Before version 5, TopK was a standard autoencoder with another activation function.
  const named = config.architecture === 'standard' && activation === 'topk' ? 'topk' : config.architecture;
  const ofTranscoder = Object.entries(saelensTranscoders).find(([name]) => name === named)?.[1];
  const architecture = ofTranscoder?.architecture ?? saelensArchitectures.find((name) => name === named);
  if (!architecture)
    throw refuse(
      `is of architecture '${named}'; ${[...saelensArchitectures, ...Object.keys(saelensTranscoders)].join(', ')} can be read`,
    );
  const normalises = config.normalize_activations ?? 'none';
  if (ofTranscoder && normalises !== 'none' && normalises !== false)
    throw refuse(
      `is of a transcoder that normalises activations ('${normalises}'), whose outputs SAELens leaves normalised: it can't be imported`,
    );
  if (activation !== 'relu' && activation !== 'topk')
    throw refuse(`has the activation function '${activation}'; relu and topk can be read`);
  const rescales = config.rescale_acts_by_decoder_norm ?? false;
  if (rescales && !architecture.endsWith('topk'))
    throw refuse(
      `rescales activations by the decoder norm, which SAELens does for TopK and BatchTopK but not for ${architecture}: take 'rescale_acts_by_decoder_norm' out if it was not trained so`,
    );
  if (config.finetuning_scaling_factor)
    throw refuse('has a finetuning scaling factor, which is not supported');
  const at = config.metadata ?? config.meta ?? config;
  return {
    path,
    architecture,
    k: config.k ?? config.activation_fn_kwargs?.k,
    prefixes: config.matryoshka_widths ?? [],
    subtractsDecoderBias: config.apply_b_dec_to_input,
    rescalesByDecoderNorm: rescales,
    inputScale: await inputScaleOf(folder, normalises, refuse),
    whitening: normalises === 'covariance_whitening' ? whiteningFile(folder, architecture, refuse) : null,
    normalisation: normalisations.get(normalises),
    pursuit: architecture === 'matching_pursuit' ? pursuitOf(config, refuse) : null,
    transcoder: ofTranscoder
      ? { outputHook: at.hook_name_out ?? config.hook_name_out ?? null, skips: ofTranscoder.skips }
      : null,
    hook: at.hook_name ?? at.hook_point ?? config.hook_name ?? config.hook_point ?? null,
    model: at.model_name ?? config.model_name ?? null,
  };
}

function pursuitOf(
  { d_in, residual_threshold, max_iterations, stop_on_duplicate_support }: z.infer<typeof configSchema>,
  refuse: (why: string) => Error,
): Pursuit {
  const maxIterations = max_iterations ?? d_in;
  if (!maxIterations) throw refuse("has no 'd_in', which says when matching pursuit ends");
  return {
    residualThreshold: residual_threshold,
    maxIterations,
    stopsOnRepeat: stop_on_duplicate_support,
  };
}

/** Checkpoints of a training have the whitening beside them; a finished dictionary has it folded in. */
function whiteningFile(
  folder: string,
  architecture: SaelensArchitecture,
  refuse: (why: string) => Error,
): string {
  if (architecture === 'matching_pursuit')
    throw refuse('whitens activations of matching pursuit, which SAELens has no fixed weights for');
  const file = join(folder, 'activation_whitening.safetensors');
  if (!existsSync(file))
    throw refuse(
      `whitens activations ('covariance_whitening') by matrices that are not in the folder: put SAELens's activation_whitening.safetensors there, or call fold_activation_whitening in SAELens and save again`,
    );
  return file;
}

const scalerSchema = z.looseObject({ scaling_factor: z.number().positive().nullish() });

async function inputScaleOf(
  folder: string,
  normalises: string | boolean,
  refuse: (why: string) => Error,
): Promise<number | null> {
  switch (normalises) {
    case 'none':
    case false:
      return null;
    // `true` is what it was called at first.
    case 'expected_average_only_in':
    case true: {
      // Checkpoints of a training have the factor beside them; a finished dictionary has it folded in, and says 'none'.
      const file = join(folder, 'activation_scaler.json');
      const scale = existsSync(file) ? (await readJson(file, scalerSchema)).scaling_factor : null;
      if (!scale)
        throw refuse(
          `normalises activations by one factor ('expected_average_only_in') that is not in the folder: put SAELens's activation_scaler.json there, or call fold_activation_norm_scaling_factor in SAELens and save again`,
        );
      return scale;
    }
    case 'layer_norm':
    case 'constant_norm_rescale':
      return null;
    case 'covariance_whitening':
      return null;
    default:
      throw refuse(`normalises activations in an unknown way ('${normalises}')`);
  }
}
