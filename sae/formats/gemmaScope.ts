/**
 * Gemma Scope: params.npz with W_enc [d, latents], W_dec [latents, d], b_enc, b_dec and threshold; JumpReLU without
 * a pre-encoder bias (Lieberum et al., 2408.05147, and the tutorial that comes with the weights).
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import {
  encoderBias,
  fromForeign,
  transpose,
  type DictionaryWeights,
  type ImportedDictionary,
  type Transposed,
} from './dictionaryWeights.ts';
import { foldInputScale } from './foldWeights.ts';
import { NamedTensors, type ForeignMatrix } from './namedTensors.ts';
import { openNpz, writeNpz } from './npz.ts';
import { readJson } from './readJson.ts';
import { readSafetensors } from './safetensors.ts';

/**
 * `path` is the params.npz of Gemma Scope, or the params.safetensors of Gemma Scope 2, which has the same tensors in lower
 * case and a config.json.
 */
export async function readGemmaScope(path: string, transposed?: Transposed): Promise<ImportedDictionary> {
  const second = path.endsWith('.safetensors');
  const tensors = second ? await safetensorsOf(path) : npzOf(path);
  // As the released folders are called, which say the rest too.
  const ofEmbedding = !second && dirname(resolve(path)).split(sep).includes('embedding');
  const place = ofEmbedding ? { ...unnamed, hook: 'hook_embed' } : unnamed;
  const { model, hook, outputHook } = second ? await configOf(path) : place;
  const lower = tensors.has('w_enc');
  const isTranscoder = outputHook !== null || tensors.has('affine_skip_connection');
  const kind = `${second ? 'Gemma Scope 2' : 'Gemma Scope'}${isTranscoder ? ' transcoder' : ''}`;
  const dictionary = fromForeign({
    source: path,
    kind,
    architecture: 'jumprelu',
    wEnc: tensors.tensor(lower ? 'w_enc' : 'W_enc'),
    wDec: tensors.tensor(lower ? 'w_dec' : 'W_dec'),
    bEnc: tensors.tensor('b_enc'),
    bDec: tensors.tensor('b_dec'),
    threshold: tensors.tensor('threshold'),
    layout: { wEnc: 'd × latents', wDec: 'latents × d' },
    subtractsDecoderBias: false,
    ...(isTranscoder && { transcoder: { outputHook, wSkip: skipOf(tensors) } }),
    hook,
    model,
    transposed,
  });
  tensors.refuseUnread(`a sparse autoencoder of ${kind}`);
  // They were trained on embeddings before Gemma multiplies them by √d, which hook_embed comes after.
  if (ofEmbedding) foldInputScale(dictionary, 1 / Math.sqrt(dictionary.d));
  return dictionary;
}

const unnamed = { model: null, hook: null, outputHook: null };

/** The file has it as [d, outputs]. */
function skipOf(tensors: NamedTensors): ForeignMatrix | null {
  if (!tensors.has('affine_skip_connection')) return null;
  const {
    shape: [rows, columns],
    data,
  } = tensors.tensor('affine_skip_connection');
  return { shape: [columns, rows], data: transpose(data, rows, columns) };
}

function npzOf(path: string): NamedTensors {
  const file = openNpz(path);
  return new NamedTensors(path, file.names, (name) => file.array(name));
}

async function safetensorsOf(path: string): Promise<NamedTensors> {
  const file = await readSafetensors(path);
  return new NamedTensors(path, file.names, (name) => ({
    shape: file.shape(name),
    data: file.float32(name),
  }));
}

const configSchema = z.looseObject({
  architecture: z.string(),
  model_name: z.string().nullish(),
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
});

async function configOf(
  path: string,
): Promise<{ model: string | null; hook: string | null; outputHook: string | null }> {
  const file = join(path, '..', 'config.json');
  if (!existsSync(file)) return unnamed;
  const {
    architecture,
    model_name,
    hf_hook_point_in: from,
    hf_hook_point_out: to,
  } = await readJson(file, configSchema);
  if (architecture !== 'jump_relu')
    throw new LazyscopeError(
      'bad_input',
      `'${file}' is of architecture '${architecture}'; jump_relu can be read.`,
    );
  const isTranscoder = from && to && from !== to;
  return { model: model_name ?? null, hook: from ?? null, outputHook: isTranscoder ? to : null };
}

/** Why Gemma Scope's files can't hold the dictionary; undefined where they can. */
export function gemmaScopeRefusal(weights: DictionaryWeights): string | undefined {
  const { architecture, crosscoder, normalisation, transcoder, d, bDec } = weights;
  const { fires } = describedArchitecture(architecture).inference;
  if (crosscoder) return 'Gemma Scope has no crosscoders';
  if (normalisation)
    return `Gemma Scope has no place for the normalisation of each activation (${normalisation})`;
  if (fires !== 'positive' && fires !== 'above threshold')
    return `Gemma Scope holds no ${architecture} dictionaries`;
  if (transcoder?.wSkip) return "Gemma Scope's params.npz has no skip connection";
  if (bDec.length !== d) return `Gemma Scope's transcoders have one width, not from ${d} to ${bDec.length}`;
  return undefined;
}

/** Of a dictionary that `gemmaScopeRefusal` says nothing against; ReLU is JumpReLU with θ = 0 and is written as such. */
export async function writeGemmaScope(path: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d } = weights;
  const { subtractsDecoderBias } = describedArchitecture(architecture);
  const { transcoder } = weights;
  const outputs = weights.bDec.length;
  await writeNpz(path, {
    W_enc: { shape: [d, latents], data: transpose(weights.wEnc, latents, d) },
    W_dec: { shape: [latents, outputs], data: weights.wDec },
    b_enc: {
      shape: [latents],
      data: transcoder ? weights.bEnc : encoderBias(weights, subtractsDecoderBias, false),
    },
    b_dec: { shape: [outputs], data: weights.bDec },
    threshold: { shape: [latents], data: weights.threshold ?? new Float32Array(latents) },
  });
}
