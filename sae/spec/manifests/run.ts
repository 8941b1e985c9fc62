import { z } from 'zod';
import { layersSchema } from '../layers.ts';
import { trainingConfigSchema } from '../trainingConfig.ts';
import type { ManifestKind } from './manifestKind.ts';

export const environmentSchema = z.strictObject({
  lazyscope: z.string(),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  backend: z.string(),
  threads: z.int().positive(),
  /** Of what a training step reads many times, where it isn't f32. */
  storage: z.enum(['f16', 'bf16']).optional(),
  /** Of the language model that the rows came from, where its products aren't in f32. */
  products: z.enum(['tf32']).optional(),
});
/** The machine and the versions that a run was trained with. */
export type Environment = z.infer<typeof environmentSchema>;

/** runs/<name>/run.json: one configuration, several seeds. */
const runManifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  status: z.enum(['training', 'interrupted', 'complete']),
  config: trainingConfigSchema,
  /** Width of the activations, of crosscoders those of all hook points together. */
  d: z.int().positive(),
  /** Of crosscoders: the hook points that `config.hook` joins. The dictionaries act on activations that are multiplied by their scales. */
  layers: layersSchema.optional(),
  /** s: activations were multiplied by it in training; it is folded into the exported weights. */
  scale: z.number().positive(),
  environment: environmentSchema,
  /** Optimiser steps done, of `totalSteps`. */
  step: z.int().nonnegative(),
  totalSteps: z.int().positive(),
  /** Wall-clock seconds of training so far, and tokens a second over all seeds together. */
  seconds: z.number().nonnegative(),
  tokensPerSecond: z.number().nonnegative(),
  /** L0 of each seed on the last batches that were logged, and the target it was steered to; where there is a target. */
  reachedL0: z.strictObject({ target: z.number(), l0: z.array(z.number()) }).optional(),
  /** Rows of the capture that training left out: by which rule, and how many. Nothing where absent. */
  exclusion: z.strictObject({ rule: z.string(), rows: z.int().nonnegative() }).optional(),
  /** Of a run whose rows came straight from a model: its `config.capture` has the held-out rows alone. `text` is as it was given to `--text`. */
  fromModel: z
    .strictObject({
      text: z.string(),
      textField: z.string().optional(),
      /** Of the text's files together; 0 for a data set of the package. */
      textBytes: z.int().nonnegative(),
      /** The held-out contexts are a sample of the first this many. */
      heldOutOf: z.int().positive(),
      /** Rows that the shuffle buffer holds at most. */
      bufferTokens: z.int().positive(),
    })
    .optional(),
  /** Of dictionaries that training began with what seeds of another run agree on; by place of the seed in `config.seeds`. */
  consensus: z
    .strictObject({
      run: z.string(),
      /** Seeds that must have a latent, and the least that both cosines of two latents are that count as one. */
      minSupport: z.int().positive(),
      threshold: z.number(),
      dictionaries: z.array(
        z.strictObject({
          parents: z.array(z.int()),
          /** Latents that have that support; the others are the most valuable of the rest. */
          agreed: z.int().nonnegative(),
          /** Pooled latents by the number of seeds that have them, from one on. */
          support: z.array(z.int().nonnegative()),
        }),
      ),
    })
    .optional(),
  /** Where imported dictionaries came from. How they were trained is not known: those fields of the configuration hold defaults. */
  origin: z.strictObject({ format: z.string(), files: z.array(z.string()) }).optional(),
});
/** What run.json holds. */
export type RunManifest = z.infer<typeof runManifestSchema>;

/** How runs are stored. */
export const runKind: ManifestKind<RunManifest> = {
  name: 'a run',
  remedy: 'delete its folder and train or import it again',
  version: 1,
  schema: runManifestSchema,
  upgrades: {},
};
