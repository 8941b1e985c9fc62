/**
 * Llamascopium, before 2026 Language-Model-SAEs (github.com/OpenMOSS/Llamascopium, models/sae.py and models/sparse_dictionary.py): a folder
 * with config.json and sae_weights.safetensors (W_E [d, latents], W_D [latents, d]), or, of Llama Scope's time, hyperparams.json and
 * checkpoints/final.safetensors (encoder.weight [latents, d], decoder.weight [d, latents]). The encoder reads x, and both activations and
 * predictions are brought to a mean norm of √d. Activations here are those of what the tool calls inference mode: of x as the model has it.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import {
  fromForeign,
  type ForeignDictionary,
  type ImportedDictionary,
  type Transposed,
} from './dictionaryWeights.ts';
import { foldDecoderNorms } from './foldWeights.ts';
import { NamedTensors, type ForeignMatrix } from './namedTensors.ts';
import { openPytorchFile } from './pytorchFile.ts';
import { readJson } from './readJson.ts';
import { readSafetensors } from './safetensors.ts';
import { fileStatus } from '../store/fileStatus.ts';

/** In the order in which the tool looks for them. */
const weightFiles = ['sae_weights', 'checkpoints/pruned', 'checkpoints/final'].flatMap((name) =>
  ['safetensors', 'pt', 'dcp'].map((ending) => `${name}.${ending}`),
);
const configFiles = ['config.json', 'hyperparams.json'];

const norm = z.number().positive();
const configSchema = z.looseObject({
  sae_type: z.string().default('sae'),
  d_model: z.int().positive(),
  hook_point_in: z.string().nullish(),
  hook_point_out: z.string().nullish(),
  use_decoder_bias: z.boolean().default(true),
  use_glu_encoder: z.boolean().default(false),
  act_fn: z.string().default('relu'),
  top_k: z.int().positive().nullish(),
  norm_activation: z.string(),
  sparsity_include_decoder_norm: z.boolean().default(true),
  /** Of 2024: x − b_D is encoded. */
  apply_decoder_bias_to_pre_encoder: z.boolean().default(false),
  /** Of 2024: one threshold for all latents. */
  jump_relu_threshold: z.number().nullish(),
  /** Of 2024; later ones are tensors, by hook point. */
  dataset_average_activation_norm: z.object({ in: norm, out: norm }).nullish(),
});
type Config = z.infer<typeof configSchema>;
const modelSchema = z.looseObject({ model_name: z.string().nullish() });

/** Whether a folder, or a file of weights in one, has the files of this format. */
export function isLlamascopium(path: string): boolean {
  const folder = folderOf(path);
  const has = (name: string) => existsSync(join(folder, name));
  const isWeights = weightFiles.some((name) => basename(name) === basename(path));
  return (folder === path || isWeights) && !has('cfg.json') && configFiles.some(has) && weightFiles.some(has);
}

function folderOf(path: string): string {
  if (fileStatus(path)?.isDirectory()) return path;
  const parent = dirname(path);
  return basename(parent) === 'checkpoints' ? dirname(parent) : parent;
}

/** `path` is the folder, or a file of weights in it. Throws `bad_input` for what fixed weights can't compute, and as `NamedTensors` does. */
export async function readLlamascopium(path: string, transposed?: Transposed): Promise<ImportedDictionary> {
  const folder = folderOf(path);
  const configName = configFiles.find((name) => existsSync(join(folder, name)));
  const configPath = join(folder, configName ?? configFiles[0]);
  const config = await readJson(configPath, configSchema);
  const refuse = (why: string) => new LazyscopeError('bad_input', `'${configPath}' ${why}.`);
  const architecture = architectureOf(config, refuse);
  const tensors = await tensorsOf(folder === path ? weightsIn(folder) : path);
  const isTranscoder = Boolean(config.hook_point_out) && config.hook_point_out !== config.hook_point_in;
  const scales = scalesOf(config, tensors, refuse);
  if (isTranscoder && config.norm_activation === 'token-wise')
    throw refuse(
      'is of a transcoder that normalises each activation by itself (token-wise), which is not supported',
    );
  const names = tensors.has('W_E')
    ? { wEnc: 'W_E', bEnc: 'b_E', wDec: 'W_D', bDec: 'b_D' }
    : { wEnc: 'encoder.weight', bEnc: 'encoder.bias', wDec: 'decoder.weight', bDec: 'decoder.bias' };
  const kind = `Llamascopium ${isTranscoder ? 'transcoder of ' : ''}${config.act_fn}`;
  const wDec = times(tensors.tensor(names.wDec), scales.in / scales.out);
  const bDec = config.use_decoder_bias
    ? times(tensors.tensor(names.bDec), 1 / scales.out)
    : { shape: [config.d_model], data: new Float32Array(config.d_model) };
  const foreign: ForeignDictionary = {
    source: tensors.source,
    kind,
    architecture,
    wEnc: tensors.tensor(names.wEnc),
    wDec,
    bEnc: times(tensors.tensor(names.bEnc), 1 / scales.in),
    bDec,
    layout: names.wEnc === 'W_E'
      ? { wEnc: 'd × latents', wDec: 'latents × d' }
      : { wEnc: 'latents × d', wDec: 'd × latents' }, // prettier-ignore
    subtractsDecoderBias: config.apply_decoder_bias_to_pre_encoder && config.use_decoder_bias,
    ...(config.top_k && architecture === 'topk' && { k: config.top_k }),
    ...(architecture === 'jumprelu' && { threshold: thresholdOf(config, tensors, scales, refuse) }),
    ...(isTranscoder && { transcoder: { outputHook: config.hook_point_out ?? null, wSkip: null } }),
    hook: config.hook_point_in ?? null,
    model: await modelOf(folder),
    transposed,
    folded:
      scales.in === 1 && scales.out === 1
        ? []
        : [
            `It was trained on activations times ${scales.in.toPrecision(6)}${isTranscoder ? ` and predicts them times ${scales.out.toPrecision(6)}` : ''}: that was multiplied into the weights.`,
          ],
  };
  if (isTranscoder && foreign.subtractsDecoderBias)
    throw refuse('is of a transcoder that subtracts b_dec from what it reads, which is not supported');
  const dictionary = fromForeign(foreign);
  tensors.refuseUnread(kind);
  if (config.norm_activation === 'token-wise') dictionary.normalisation = 'constant norm';
  if (!config.sparsity_include_decoder_norm) return dictionary;
  if (architecture === 'topk') foldDecoderNorms(dictionary);
  if (architecture === 'jumprelu') divideThresholds(dictionary, scales.in / scales.out);
  return dictionary;
}

function architectureOf(config: Config, refuse: (why: string) => Error): 'relu' | 'topk' | 'jumprelu' {
  const { sae_type: type, act_fn: activation } = config;
  if (type !== 'sae') throw refuse(`is of type '${type}'; sae can be read, which transcoders are too`);
  if (config.use_glu_encoder) throw refuse('has a gated linear unit in its encoder, which is not supported');
  if (activation === 'batchtopk')
    throw refuse(
      "is of batchtopk, whose latents depend on the other tokens of a batch there: turn it into JumpReLU with the tool's conversion first",
    );
  if (activation === 'relu' || activation === 'topk' || activation === 'jumprelu') return activation;
  throw refuse(`has the activation function '${activation}'; relu, topk and jumprelu can be read`);
}

function weightsIn(folder: string): string {
  const found = weightFiles.map((name) => join(folder, name)).find(existsSync);
  if (found !== undefined) return found;
  throw new LazyscopeError(
    'bad_input',
    `'${folder}' has none of ${weightFiles.join(', ')}, so it is no dictionary of Llamascopium: give the folder that has one.`,
  );
}

async function tensorsOf(path: string): Promise<NamedTensors> {
  if (path.endsWith('.dcp'))
    throw new LazyscopeError(
      'bad_input',
      `'${path}' is a distributed checkpoint: load it in Llamascopium and save it again on one device, which writes sae_weights.safetensors.`,
    );
  const file = path.endsWith('.pt') ? openPytorchFile(path) : await readSafetensors(path);
  return new NamedTensors(path, file.names, (name) => ({
    shape: file.shape(name),
    data: file.float32(name),
  }));
}

/** What activations are multiplied by before they are encoded, and predictions divided by. */
interface Scales {
  in: number;
  out: number;
}

const ofHook = 'dataset_average_activation_norm.';

function scalesOf(config: Config, tensors: NamedTensors, refuse: (why: string) => Error): Scales {
  const { norm_activation: normalises, d_model: d, dataset_average_activation_norm: norms } = config;
  const named = tensors.names.filter((name) => name.startsWith(ofHook));
  if (normalises === 'inference' || normalises === 'token-wise') {
    // Without a meaning there, and not even initialised.
    tensors.ignore(...named);
    return { in: 1, out: 1 };
  }
  if (normalises !== 'dataset-wise')
    throw refuse(`normalises activations ${normalises}, which no fixed weights do: it can't be imported`);
  const scaleAt = (hook: string | null | undefined, which: 'in' | 'out') => {
    const name = `${ofHook}${hook}`;
    const value = tensors.has(name) ? tensors.number(name) : norms?.[which];
    if (value !== undefined && value > 0) return Math.sqrt(d) / value;
    throw refuse(
      `normalises activations by their mean norm at '${hook}', which neither it nor the weights say: save it with fold_activation_scale in Llamascopium`,
    );
  };
  const { hook_point_in: from, hook_point_out: to } = config;
  return { in: scaleAt(from, 'in'), out: scaleAt(to ?? from, 'out') };
}

/**
 * θ for z of x as the model has it, and for the norms of the file's decoder rows where those are multiplied in. A threshold in the weights is of normalised activations, the one in hyperparams.json of weights
 * in inference mode, which is how the tool and SAELens read Llama Scope.
 */
function thresholdOf(
  { jump_relu_threshold: one, sparsity_include_decoder_norm: includesNorm }: Config,
  tensors: NamedTensors,
  scales: Scales,
  refuse: (why: string) => Error,
): ForeignMatrix {
  const name = ['activation_function.log_jumprelu_threshold', 'log_jumprelu_threshold'].find((each) =>
    tensors.has(each),
  );
  if (name !== undefined) {
    const { shape, data } = tensors.tensor(name);
    return { shape, data: data.map((log) => Math.exp(log) / scales.in) };
  }
  if (typeof one !== 'number') throw refuse('is of jumprelu and has no threshold');
  return { shape: [1], data: Float32Array.of(includesNorm ? (one * scales.out) / scales.in : one) };
}

/** The tool compares z·‖W_dec,i‖ with θ, for the decoder in the file, whose rows times `factor` are those here. */
function divideThresholds(dictionary: ImportedDictionary, factor: number): void {
  const { wDec, latents, threshold } = dictionary;
  const outputs = wDec.length / latents;
  dictionary.threshold =
    threshold?.map((theta, latent) => {
      const size = Math.hypot(...wDec.subarray(latent * outputs, (latent + 1) * outputs)) / factor;
      // A latent without a decoder row never fires there.
      return size === 0 ? largestFloat : theta / size;
    }) ?? null;
  dictionary.folded.push(
    'It compares z·‖W_dec,i‖ with a threshold: each latent’s threshold was divided by that norm.',
  );
}

const largestFloat = (2 - 2 ** -23) * 2 ** 127;

async function modelOf(folder: string): Promise<string | null> {
  const path = join(folder, 'lm_config.json');
  return existsSync(path) ? ((await readJson(path, modelSchema)).model_name ?? null) : null;
}

function times({ shape, data }: ForeignMatrix, factor: number): ForeignMatrix {
  return factor === 1 ? { shape, data } : { shape, data: data.map((value) => value * factor) };
}
