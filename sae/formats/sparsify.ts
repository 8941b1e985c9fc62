/**
 * EleutherAI's sparsify: a folder with cfg.json and sae.safetensors; encoder.weight and W_dec are both
 * [latents, d], and the encoder reads x − b_dec (github.com/EleutherAI/sparsify, sparsify/sparse_coder.py).
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { writeJsonAtomic } from '../store/atomicWrite.ts';
import type { InferenceRule } from '../spec/architectures/architecture.ts';
import { describedArchitecture } from '../spec/architectures/architectures.ts';
import {
  encoderBias,
  fromForeign,
  type DictionaryWeights,
  type ImportedDictionary,
  type Transposed,
} from './dictionaryWeights.ts';
import { signedAsTwo } from './foldWeights.ts';
import { NamedTensors } from './namedTensors.ts';
import { readJson } from './readJson.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const configSchema = z.looseObject({
  d_in: z.int().positive(),
  k: z.int().positive(),
  activation: z.string().default('topk'),
  /** Of 2024: the k largest of |z|, without ReLU. */
  signed: z.boolean().default(false),
  transcode: z.boolean().default(false),
  skip_connection: z.boolean().default(false),
});
const runSchema = z.looseObject({ model: z.string().nullish() });

/** `folder` is that of one module, as `layers.3.mlp`. */
export async function readSparsify(folder: string, transposed?: Transposed): Promise<ImportedDictionary> {
  const path = join(folder, 'cfg.json');
  const config = await readJson(path, configSchema);
  const refuse = (why: string) => new LazyscopeError('bad_input', `'${path}' ${why}.`);
  const { activation, signed } = config;
  if (activation !== 'topk' && activation !== 'groupmax')
    throw refuse(`uses the activation '${activation}'; topk and groupmax can be read`);
  if (signed && activation !== 'topk')
    throw refuse('is signed and uses groupmax, which no version of sparsify had together');
  const file = await readSafetensors(join(folder, 'sae.safetensors'));
  const tensors = new NamedTensors(file.path, file.names, (name) => ({
    shape: file.shape(name),
    data: file.float32(name),
  }));
  // Trainings keep theirs in the folder above.
  const runPath = join(folder, '..', 'config.json');
  // The folder is named after the module.
  const moduleName = basename(resolve(folder));
  const dictionary = fromForeign({
    source: file.path,
    kind: kindOf(config),
    architecture: activation,
    wEnc: tensors.tensor('encoder.weight'),
    wDec: tensors.tensor('W_dec'),
    bEnc: tensors.tensor('encoder.bias'),
    bDec: tensors.tensor('b_dec'),
    layout: { wEnc: 'latents × d', wDec: 'latents × d' },
    subtractsDecoderBias: !config.transcode,
    // A module's transcoder reads its inputs and predicts its outputs. An autoencoder with a skip connection predicts what it reads.
    ...((config.transcode || config.skip_connection) && {
      transcoder: {
        outputHook: moduleName,
        wSkip: config.skip_connection ? tensors.tensor('W_skip') : null,
      },
    }),
    k: config.k,
    transposed,
    hook: config.transcode ? null : moduleName,
    model: existsSync(runPath) ? (await readJson(runPath, runSchema)).model : null,
  });
  tensors.refuseUnread(dictionary.kind);
  return signed ? signedAsTwo(dictionary) : dictionary;
}

function kindOf({
  activation,
  signed,
  transcode,
  skip_connection: skips,
}: z.infer<typeof configSchema>): string {
  const name = `${signed ? 'signed ' : ''}${activation}`;
  if (!transcode) return `sparsify ${skips ? 'skip autoencoder of ' : ''}${name}`;
  return `sparsify ${skips ? 'skip ' : ''}transcoder${name === 'topk' ? '' : ` of ${name}`}`;
}

/** The modules' folders below a folder of sparsify's. */
export function sparsifyModules(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'sae.safetensors')))
    .map((entry) => entry.name)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** sparsify's activation function by the rule that fires here. */
const activations: Partial<Record<InferenceRule['fires'], string>> = {
  largest: 'topk',
  'largest of its group': 'groupmax',
};

/** Why sparsify can't hold the dictionary, whose latents it chooses by their rank; undefined where it can. */
export function sparsifyRefusal(weights: DictionaryWeights): string | undefined {
  const { architecture, crosscoder, normalisation, transcoder, d, bDec } = weights;
  if (crosscoder) return 'sparsify has no crosscoders';
  if (normalisation)
    return `sparsify has no place for the normalisation of each activation (${normalisation})`;
  if (activations[describedArchitecture(architecture).inference.fires] === undefined)
    return `sparsify holds only topk and groupmax dictionaries, not ${architecture}`;
  if (transcoder && bDec.length !== d)
    return `sparsify has transcoders of one width, not from ${d} to ${bDec.length}`;
  return undefined;
}

/** Of a dictionary that `sparsifyRefusal` says nothing against. */
export async function writeSparsify(folder: string, weights: DictionaryWeights): Promise<void> {
  const { architecture, latents, d, k } = weights;
  const { inference, subtractsDecoderBias } = describedArchitecture(architecture);
  const activation = activations[inference.fires];
  const { transcoder } = weights;
  const predictsInput = transcoder?.outputHook !== null && transcoder?.outputHook === weights.hook;
  await writeSafetensors(join(folder, 'sae.safetensors'), {
    'encoder.weight': { shape: [latents, d], data: weights.wEnc },
    'encoder.bias': {
      shape: [latents],
      data:
        transcoder && !predictsInput
          ? weights.bEnc
          : encoderBias(weights, subtractsDecoderBias && !transcoder, true),
    },
    W_dec: { shape: [latents, d], data: weights.wDec },
    b_dec: { shape: [d], data: weights.bDec },
    ...(transcoder?.wSkip && { W_skip: { shape: [d, d], data: transcoder.wSkip } }),
  });
  await writeJsonAtomic(join(folder, 'cfg.json'), {
    activation,
    // An integer there; num_latents is what counts.
    expansion_factor: Math.ceil(latents / d),
    normalize_decoder: true,
    num_latents: latents,
    k,
    multi_topk: false,
    skip_connection: Boolean(transcoder?.wSkip),
    transcode: transcoder !== undefined && !predictsInput,
    d_in: d,
  });
}
