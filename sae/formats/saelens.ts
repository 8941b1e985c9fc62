/**
 * SAELens: a folder with cfg.json and sae_weights.safetensors; W_enc [d, latents], W_dec [latents, d]
 * (github.com/jbloomAus/SAELens, sae_lens/saes/sae.py).
 */
import { join } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { InferenceRule } from '../spec/architectures/architecture.ts';
import { inputNormalisations } from '../spec/inputNormalisations.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import {
  fromForeign,
  transpose,
  type DictionaryWeights,
  type ForeignDictionary,
  type ImportedDictionary,
  type Transposed,
} from './dictionaryWeights.ts';
import {
  foldDecoderNorms,
  foldInputScale,
  foldWhitening,
  fromGated,
  signedAsTwo,
  toGated,
  type Whitening,
} from './foldWeights.ts';
import { NamedTensors, type ForeignMatrix } from './namedTensors.ts';
import { normalisations, readSaelensConfig, type SaelensConfig } from './saelensConfig.ts';
import { readSafetensors, type TensorToWrite, writeSafetensors } from './safetensors.ts';

const ours = { standard: 'relu', topk: 'topk', abstopk: 'topk', jumprelu: 'jumprelu' } as const;

/** Throws `bad_input` for what can't be read, `corrupt` for a damaged file; see `readSaelensConfig` and `NamedTensors`. */
export async function readSaelens(folder: string, transposed?: Transposed): Promise<ImportedDictionary> {
  const config = await readSaelensConfig(folder);
  const { architecture, k, hook, model, inputScale, whitening, rescalesByDecoderNorm } = config;
  const file = await readSafetensors(join(folder, 'sae_weights.safetensors'));
  const tensors = new NamedTensors(file.path, file.names, (name) => ({
    shape: file.shape(name),
    data: file.float32(name),
  }));
  const common = {
    source: file.path,
    kind: `SAELens ${config.transcoder ? transcoderName(config.transcoder.skips, architecture) : architecture}`,
    // Matching pursuit has one matrix for both.
    wEnc: tensors.tensor(config.pursuit ? 'W_dec' : 'W_enc'),
    wDec: tensors.tensor('W_dec'),
    bDec: tensors.tensor('b_dec'),
    layout: { wEnc: config.pursuit ? 'latents × d' : 'd × latents', wDec: 'latents × d' },
    subtractsDecoderBias: config.subtractsDecoderBias && !config.transcoder,
    ...(config.transcoder && {
      transcoder: {
        outputHook: config.transcoder.outputHook,
        wSkip: config.transcoder.skips ? tensors.tensor('W_skip') : null,
      },
    }),
    hook,
    model,
    transposed,
  } as const;
  // Of finetuning, which the configuration says did not happen.
  if (tensors.has('scaling_factor') && tensors.tensor('scaling_factor').data.some((factor) => factor !== 1))
    throw new LazyscopeError(
      'bad_input',
      `'${file.path}' has a scaling_factor that is not 1, which is not supported.`,
    );
  const read = () => {
    if (config.pursuit) return readPursuit(common, config);
    if (architecture === 'gated')
      return fromGated(common, {
        rMag: tensors.tensor('r_mag').data,
        magnitudeBias: tensors.tensor('b_mag').data,
        gateBias: tensors.tensor('b_gate').data,
      });
    const bEnc = tensors.tensor('b_enc');
    // SAELens itself saves the finished dictionary as JumpReLU with that threshold.
    if (architecture === 'batchtopk')
      return fromForeign({
        ...common,
        ...wholeK(k),
        bEnc,
        architecture,
        threshold: tensors.tensor('topk_threshold'),
      });
    if (architecture === 'matryoshka_batchtopk')
      return fromForeign({
        ...common,
        ...wholeK(k),
        bEnc,
        architecture: 'matryoshka',
        prefixes: withAll(config.prefixes, bEnc.data.length),
        threshold: tensors.tensor('topk_threshold'),
      });
    if (architecture === 'matching_pursuit') throw new TypeError('Matching pursuit was read above.');
    const threshold = architecture === 'jumprelu' ? thresholdOf(tensors) : undefined;
    return fromForeign({
      ...common,
      bEnc,
      architecture: ours[architecture],
      k,
      ...(threshold && { threshold }),
    });
  };
  const dictionary = read();
  tensors.refuseUnread(common.kind);
  if (inputScale !== null && !config.pursuit) {
    foldInputScale(dictionary, inputScale);
    // There the threshold is in units of z·‖W_dec,i‖, and the decoder was just divided.
    if (rescalesByDecoderNorm)
      dictionary.threshold = dictionary.threshold?.map((theta) => theta / inputScale) ?? null;
  }
  if (rescalesByDecoderNorm) foldDecoderNorms(dictionary);
  if (whitening !== null) foldWhitening(dictionary, await readWhitening(whitening, dictionary.d));
  const { normalisation } = config;
  if (normalisation) {
    dictionary.normalisation = normalisation;
    dictionary.folded.push(
      `It normalises activations, and so does what is imported: ${inputNormalisations[normalisation]}.`,
    );
  }
  return architecture === 'abstopk' ? signedAsTwo(dictionary) : dictionary;
}

/**
 * Matching pursuit on s·x has the activations of matching pursuit on x times s, where b_dec and the threshold are divided by s: that is how
 * SAELens folds s.
 */
function readPursuit(
  common: Omit<ForeignDictionary, 'architecture' | 'bEnc'>,
  { pursuit, inputScale, subtractsDecoderBias }: SaelensConfig,
): ImportedDictionary {
  const { bDec, wDec } = common;
  const scale = inputScale ?? 1;
  const latents = wDec.shape[bDec.data.length === wDec.shape[0] ? 1 : 0] ?? 0;
  return fromForeign({
    ...common,
    architecture: 'matchingpursuit',
    // The encoder is the decoder.
    transposed: common.transposed === 'decoder' ? 'both' : common.transposed,
    bEnc: { shape: [latents], data: new Float32Array(latents) },
    // Where b_dec isn't subtracted, SAELens doesn't add it either.
    bDec: { ...bDec, data: bDec.data.map((bias) => (subtractsDecoderBias ? bias / scale : 0)) },
    subtractsDecoderBias: true,
    ...(pursuit && { pursuit: { ...pursuit, residualThreshold: pursuit.residualThreshold / scale } }),
    folded:
      inputScale === null
        ? []
        : [`It was trained on activations times ${scale}: that was folded into b_dec and its threshold.`],
  });
}

async function readWhitening(path: string, d: number): Promise<Whitening> {
  const file = await readSafetensors(path);
  const tensors = new NamedTensors(path, file.names, (name) => ({
    shape: file.shape(name),
    data: file.float32(name),
  }));
  const read = (name: string, shape: readonly number[]) => {
    const found = tensors.tensor(name);
    if (found.shape.join() === shape.join()) return found.data;
    throw new LazyscopeError(
      'corrupt',
      `'${path}' has '${name}' of shape [${found.shape.join(', ')}] where [${shape.join(', ')}] was expected: it is of another dictionary.`,
    );
  };
  return { mean: read('mean', [d]), matrix: read('matrix', [d, d]), inverse: read('inverse_matrix', [d, d]) };
}

/** SAELens's name of a transcoder whose latents fire as those of an autoencoder of this architecture. */
const transcoderName = (skips: boolean, architecture: string) =>
  `${architecture === 'jumprelu' ? 'jumprelu_' : ''}${skips ? 'skip_' : ''}transcoder`;

/** SAELens adds the level of all latents where it is missing. */
function withAll(prefixes: readonly number[], latents: number): readonly number[] {
  return prefixes.at(-1) === latents ? prefixes : [...prefixes, latents];
}

/** SAELens allows any mean number of latents a token. */
function wholeK(k = 0): { k: number; folded: string[] } {
  if (Number.isInteger(k)) return { k, folded: [] };
  const folded = [`Its k of ${k} was rounded, which changes nothing after training.`];
  return { k: Math.max(1, Math.round(k)), folded };
}

/** Checkpoints of older versions hold log θ. */
function thresholdOf(tensors: NamedTensors): ForeignMatrix {
  if (tensors.has('threshold') || !tensors.has('log_threshold')) return tensors.tensor('threshold');
  const { shape, data } = tensors.tensor('log_threshold');
  return { shape, data: data.map(Math.exp) };
}

/** SAELens's name for what fires by the same rule. */
const namesByRule = {
  positive: 'standard',
  largest: 'topk',
  'above threshold': 'jumprelu',
  'by matching pursuit': 'matching_pursuit',
} as const satisfies Partial<Record<InferenceRule['fires'], string>>;

/** The first version of SAELens that reads this layout. Without a version, SAELens takes a file for an older one and drops its metadata. */
const layoutVersion = '6.0.0';

/** Why SAELens can't hold the dictionary; undefined where it can. */
export function saelensRefusal({
  architecture,
  transcoder,
  crosscoder,
}: DictionaryWeights): string | undefined {
  const { fires } = describedArchitecture(architecture).inference;
  if (crosscoder) return 'SAELens has no crosscoders';
  if (fires === 'largest of its group') return `SAELens has no ${architecture} dictionaries`;
  if (transcoder && fires === 'largest') return `SAELens has no transcoders of ${architecture}`;
  return undefined;
}

/** Of a dictionary that `saelensRefusal` says nothing against. */
export async function writeSaelens(folder: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d, k } = weights;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  const { transcoder } = weights;
  const outputs = weights.bDec.length;
  const { fires } = inference;
  if (fires === 'largest of its group') throw new Error(saelensRefusal(weights));
  const name = namesByRule[fires];
  await writeSafetensors(join(folder, 'sae_weights.safetensors'), {
    ...(!weights.pursuit && { W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) } }),
    W_dec: { shape: [latents, outputs], data: weights.wDec },
    b_dec: { shape: [outputs], data: weights.bDec },
    ...(transcoder?.wSkip && { W_skip: { shape: [outputs, d], data: transcoder.wSkip } }),
    ...vectorsOf(weights),
  });
  await writeJsonAtomic(join(folder, 'cfg.json'), {
    architecture: transcoder
      ? transcoderName(transcoder.wSkip !== null, name)
      : architecture === 'gated'
        ? architecture
        : name,
    d_in: d,
    ...(transcoder && { d_out: outputs }),
    d_sae: latents,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: subtractsDecoderBias && !transcoder,
    normalize_activations: saelensNormalisation(weights),
    reshape_activations: 'none',
    ...(k !== null && !transcoder && { k }),
    ...(weights.pursuit && {
      residual_threshold: weights.pursuit.residualThreshold,
      max_iterations: weights.pursuit.maxIterations,
      stop_on_duplicate_support: weights.pursuit.stopsOnRepeat,
    }),
    metadata: {
      sae_lens_version: layoutVersion,
      model_name: weights.model,
      hook_name: weights.hook,
      ...(transcoder && { hook_name_out: transcoder.outputHook }),
      ...(weights.text && {
        dataset_path: weights.text.dataset,
        context_size: weights.text.contextLength,
        prepend_bos: weights.text.separatorFirst,
        seqpos_slice: [weights.text.firstPosition, null],
      }),
    },
  });
}

function saelensNormalisation({ normalisation }: DictionaryWeights): string | boolean {
  return [...normalisations].find(([, name]) => name === normalisation)?.[0] ?? 'none';
}

/** The vectors of a latent each. */
function vectorsOf(weights: DictionaryWeights): Record<string, TensorToWrite> {
  const { architecture, latents, bEnc, threshold } = weights;
  const vector = (data: Float32Array) => ({ shape: [latents], data });
  if (architecture === 'gated') {
    const { rMag, magnitudeBias, gateBias } = toGated(weights);
    return { r_mag: vector(rMag), b_mag: vector(magnitudeBias), b_gate: vector(gateBias) };
  }
  if (weights.pursuit) return {};
  return { b_enc: vector(bEnc), ...(threshold && { threshold: vector(threshold) }) };
}
