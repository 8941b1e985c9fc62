import { z } from 'zod';
import type { ErrorCode } from '../../sae/errors.ts';
import { interventionKinds } from '../../sae/spec/interventions.ts';
import type { ArchitectureName } from '../../sae/spec/architectures/architectures.ts';
import type { SteerEvent } from '../../sae/inference/steer.ts';
import type { DictionaryFeatures, TextFeatures } from '../../sae/inference/textFeatures.ts';
import { indexNumber, seedNumber, storeName } from './limits.ts';
import { dictionaryInput } from './tokens.ts';
import type { TokenText } from './tokens.ts';

/** Dictionaries that one question may be about. */
const mostDictionaries = 8;

const noNul = /^[^\0]*$/;

export const textFeaturesInput = z
  .object({
    text: z.string().min(1).max(20_000).regex(noNul, 'must not contain a NUL character'),
    /** The first one is what the others' counterparts are looked up for. All are of one model. */
    dictionaries: z
      .array(dictionaryInput.extend({ latents: z.array(indexNumber).max(64).default([]) }))
      .max(mostDictionaries)
      .default([]),
    /** The model, where no dictionary says which; a name from `models.list`. */
    model: storeName.optional(),
    /** Strongest latents a token, latents with a trace, and likeliest next tokens. */
    strongest: z.int().min(1).max(32).default(8),
    traced: z.int().min(1).max(100).default(30),
    predictions: z.int().min(1).max(50).default(8),
  })
  .refine(({ dictionaries, model }) => dictionaries.length > 0 || model !== undefined, {
    message: 'name at least one dictionary, or a model',
  });
export type TextFeaturesInput = z.infer<typeof textFeaturesInput>;

/** What is known of a latent besides the text. */
export interface LatentGlance {
  latent: number;
  label: string | null;
  /** Null where the dictionary isn't indexed. */
  density: number | null;
  /** The largest activation on held-out text. */
  maxActivation: number | null;
  /** Tokens it promotes most, and tokens it fires on most often. */
  promoted: TokenText[];
  topTokens: TokenText[];
}

/** What one dictionary makes of a text. */
export interface DictionaryOnText extends DictionaryFeatures {
  architecture: ArchitectureName;
  /** Every latent that is mentioned. */
  glances: LatentGlance[];
}

/** What a text is to a model and some dictionaries. */
export interface TextOnModel extends Omit<TextFeatures, 'dictionaries'> {
  dictionaries: DictionaryOnText[];
  seconds: number;
}

const interventionInput = z.object({
  latent: indexNumber,
  kind: z.enum(interventionKinds),
  /** In units of the latent's activation; not read for `ablate`. */
  value: z.number().min(-1e6).max(1e6).default(0),
});

export const steerInput = z.object({
  /** It travels in the address, as all subscriptions' input does. */
  prompt: z.string().min(1).max(4_000).regex(noNul, 'must not contain a NUL character'),
  dictionaries: z
    .array(dictionaryInput.extend({ interventions: z.array(interventionInput).min(1).max(32) }))
    .min(1)
    .max(mostDictionaries),
  /** Steers the counterparts in this dictionary too, beside. Needs one dictionary in `dictionaries`. */
  counterpart: dictionaryInput.optional(),
  /** False puts x̂ + Δ in place of the activation, not x + Δ. */
  keepsError: z.boolean().default(true),
  maxNewTokens: z.int().min(1).max(512).default(40),
  /** Whether there is a continuation of likeliest tokens, and how many are drawn. */
  greedy: z.boolean().default(true),
  samples: z.int().min(0).max(4).default(0),
  temperature: z.number().gt(0).max(10).default(1),
  topK: z.int().positive().optional(),
  topP: z.number().gt(0).max(1).optional(),
  /** Of the draws. */
  seed: seedNumber.default(0),
});
export type SteerInput = z.infer<typeof steerInput>;

/** `without` is the model left alone, `with` is steered, `counterpart` is steered by another dictionary. */
export type VariantName = 'without' | 'with' | 'counterpart';

/** A steered text as it is made. The first event is `start`; the last is `end` or `failed`. */
export type SteeringEvent =
  | (Extract<SteerEvent, { type: 'start' }> & {
      model: string;
      /** By the numbers that rows and probabilities have. */
      variants: VariantName[];
      /** For each steered latent its counterpart, null where the matching has none; null where none was asked for. */
      counterparts: { latent: number; counterpart: number | null; decoderCosine: number | null }[] | null;
    })
  | Exclude<SteerEvent, { type: 'start' }>
  /** In the stream rather than as an error of the connection, after which a client would connect again. */
  | { type: 'failed'; code: ErrorCode | 'internal'; message: string };

/** The process that keeps the model. */
export interface ModelStatus {
  state: 'stopped' | 'waiting' | 'answering';
  model: string | null;
  parameters: number | null;
  /** Dictionaries in memory, as RUN/SEED. */
  dictionaries: string[];
  /** Memory of the process, as it was after the last answer. */
  residentBytes: number | null;
  /** Seconds without a question after which it ends. */
  idleSeconds: number;
}
