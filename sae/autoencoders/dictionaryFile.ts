/**
 * seed-<n>/sae.safetensors: a trained dictionary that acts on *raw* activations. Training saw s·x; all
 * architectures are positively homogeneous, so dividing b_enc, b_dec and θ by s gives the dictionary whose
 * activations and reconstructions are 1/s of the trained ones on s·x, while decoder rows keep their norm. (*Choice*:
 * folding s into W_enc and W_dec instead would give the same reconstructions and rows of norm 1/s.)
 */
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import { type Layer, layersSchema } from '../spec/layers.ts';
import {
  allArchitectureNames,
  type ArchitectureName,
  describedArchitecture,
} from '../spec/architectures/architectures.ts';
import { type InputNormalisation, inputNormalisationNames } from '../spec/inputNormalisations.ts';
import type { Pursuit } from '../spec/architectures/matchingpursuit.ts';

/** What a dictionary file says of itself besides its weights. */
export interface DictionaryMetadata {
  architecture: ArchitectureName;
  hook: string;
  /** Of a transcoder: the hook point whose activations it predicts. */
  outputHook?: string | undefined;
  /** The language model's name. */
  model: string;
  run: string;
  seed: number;
  /** s, already folded into the tensors. */
  scale: number;
  /** How many latents fire a token, or did so on average in training; null where the architecture does not fix it. */
  k: number | null;
  /** Numbers of latents that reconstruct on their own, ascending; of Matryoshka dictionaries only. */
  prefixes?: readonly number[] | undefined;
  /** Of a crosscoder: the hook points that `hook` joins. The dictionary acts on their activations times their scales, side by side. */
  layers?: readonly Layer[] | undefined;
  /** How latents are chosen; of matching pursuit only. */
  pursuit?: Pursuit | undefined;
  /** How each activation is normalised before it is encoded; of some imported dictionaries only. */
  normalisation?: InputNormalisation | undefined;
}

/** A dictionary in units of the activations it was trained on. */
export interface TrainedDictionary {
  wEnc: Float32Array; // [latents, d]
  bEnc: Float32Array; // [latents]
  /** [latents, d]; of a transcoder as wide as its outputs. */
  wDec: Float32Array;
  bDec: Float32Array; // [d], of a transcoder as wide as its outputs
  /** W_skip [outputs, d] of a skip transcoder, which adds W_skip·x to what it decodes. */
  wSkip?: Float32Array | null | undefined;
  /**
   * θ [latents], as it was trained or imported; null for architectures whose latents do not fire above a threshold. A
   * latent with θ < 0 fires where z > 0.
   */
  threshold: Float32Array | null;
}

/** A dictionary that acts on raw activations. */
export interface StoredDictionary extends TrainedDictionary {
  metadata: DictionaryMetadata;
  latents: number;
  d: number;
}

/** Folds the scale in and writes atomically. */
export async function writeDictionary(
  path: string,
  trained: TrainedDictionary,
  metadata: DictionaryMetadata,
): Promise<void> {
  const { scale, k, prefixes, layers, pursuit, normalisation } = metadata;
  const latents = trained.bEnc.length;
  const d = trained.wEnc.length / latents;
  const outputs = trained.bDec.length;
  const unscaled = (values: Float32Array) => values.map((value) => value / scale);
  const threshold = trained.threshold && unscaled(trained.threshold);
  await writeSafetensors(
    path,
    {
      W_enc: { shape: [latents, d], data: trained.wEnc },
      b_enc: { shape: [latents], data: unscaled(trained.bEnc) },
      W_dec: { shape: [latents, outputs], data: trained.wDec },
      b_dec: { shape: [outputs], data: unscaled(trained.bDec) },
      ...(trained.wSkip && { W_skip: { shape: [outputs, d], data: trained.wSkip } }),
      ...(threshold && { threshold: { shape: [latents], data: threshold } }),
    },
    {
      format: formatOf(trained, metadata),
      architecture: metadata.architecture,
      hook: metadata.hook,
      ...(metadata.outputHook !== undefined && { outputHook: metadata.outputHook }),
      model: metadata.model,
      run: metadata.run,
      seed: String(metadata.seed),
      scale: String(scale),
      ...(k !== null && { k: String(k) }),
      ...(prefixes && { prefixes: JSON.stringify(prefixes) }),
      ...(layers && { layers: JSON.stringify(layers) }),
      ...(pursuit && { pursuit: JSON.stringify(pursuit) }),
      ...(normalisation && { normalisation }),
    },
  );
}

/** Versions that know no skip connection, no crosscoder (which doesn't subtract b_dec) or no normalisation must not leave it out. */
function formatOf({ wSkip }: TrainedDictionary, { layers, normalisation }: DictionaryMetadata): string {
  if (normalisation) return 'lazyscope-sae-4';
  if (layers) return 'lazyscope-sae-3';
  return wSkip ? 'lazyscope-sae-2' : 'lazyscope-sae-1';
}

const metadataSchema = z.object({
  format: z.enum(['lazyscope-sae-1', 'lazyscope-sae-2', 'lazyscope-sae-3', 'lazyscope-sae-4']),
  architecture: z.enum(allArchitectureNames),
  hook: z.string(),
  outputHook: z.string().optional(),
  model: z.string(),
  run: z.string(),
  seed: z.coerce.number().int(),
  scale: z.coerce.number().positive(),
  k: z.coerce.number().int().positive().optional(),
  prefixes: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(z.int().positive()))
    .optional(),
  normalisation: z.enum(inputNormalisationNames).optional(),
  layers: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(layersSchema)
    .optional(),
  pursuit: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(
      z.object({
        residualThreshold: z.number().nonnegative(),
        maxIterations: z.int().positive(),
        stopsOnRepeat: z.boolean(),
      }),
    )
    .optional(),
});

/** Throws `not_found`, or `corrupt` when tensors are missing or disagree about shapes. */
export async function readDictionary(path: string): Promise<StoredDictionary> {
  const file = await readSafetensors(path);
  const damaged = (why: string) =>
    new LazyscopeError('corrupt', `'${path}' is not a trained dictionary: ${why}; train it again.`);
  const metadata = metadataSchema.safeParse(file.metadata);
  if (!metadata.success)
    throw damaged(`its metadata has no valid '${metadata.error.issues[0].path.join('.')}'`);
  const { k = null, format, ...rest } = metadata.data;
  for (const name of ['W_enc', 'b_enc', 'W_dec', 'b_dec'])
    if (!file.has(name)) throw damaged(`it has no ${name}`);
  const [latents, d] = file.shape('W_enc');
  if ((format === 'lazyscope-sae-3') !== (rest.layers !== undefined))
    throw damaged('its metadata does not say which hook points it reads');
  const layered = rest.layers?.reduce((sum, { width }) => sum + width, 0);
  if (layered !== undefined && layered !== d)
    throw damaged(`W_enc has ${d} columns and its layers ${layered}`);
  const outputs = rest.outputHook === undefined ? d : file.shape('b_dec')[0];
  const read = (name: string, shape: number[]) => {
    if (!file.has(name)) throw damaged(`it has no ${name}`);
    const found = file.shape(name);
    if (found.join() !== shape.join()) throw damaged(`${name} is [${found}] where [${shape}] was expected`);
    return file.float32(name);
  };
  const finite = (name: string, shape: number[]) => {
    const values = read(name, shape);
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw damaged(`${name} holds ${values[at]} at element ${at}`);
    return values;
  };
  const { fires } = describedArchitecture(rest.architecture).inference;
  if (fires === 'largest' && (k === null || k > latents)) throw damaged(`k is ${k} with ${latents} latents`);
  if (fires === 'largest of its group' && (k === null || latents % k > 0))
    throw damaged(`${latents} latents can't be ${k} groups of one size`);
  if (fires === 'by matching pursuit' && !rest.pursuit)
    throw damaged('it does not say when matching pursuit ends');
  if ((format === 'lazyscope-sae-4') !== (rest.normalisation !== undefined))
    throw damaged('its metadata has no valid normalisation');
  return {
    metadata: { ...rest, k },
    latents,
    d,
    wEnc: finite('W_enc', [latents, d]),
    bEnc: finite('b_enc', [latents]),
    wDec: finite('W_dec', [latents, outputs]),
    bDec: finite('b_dec', [outputs]),
    ...(format === 'lazyscope-sae-2' && { wSkip: finite('W_skip', [outputs, d]) }),
    threshold: fires === 'above threshold' ? numbers(read('threshold', [latents]), damaged) : null,
  };
}

/** Earlier versions imported a threshold below 0 as NaN. */
function numbers(threshold: Float32Array, damaged: (why: string) => Error): Float32Array {
  const latent = threshold.findIndex(Number.isNaN);
  if (latent >= 0) throw damaged(`the threshold of latent ${latent} is NaN`);
  return threshold;
}
