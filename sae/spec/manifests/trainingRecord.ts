import { z } from 'zod';
import { corpusSchema } from './corpus.ts';
import type { ManifestKind } from './manifestKind.ts';

export const lossPointSchema = z.strictObject({
  step: z.int().positive(),
  tokens: z.int().positive(),
  /** Mean training loss, nats a token, since the point before. */
  loss: z.number(),
  /** Present on the steps at which it was measured; null where it was not finite. */
  validationLoss: z.number().nullable().optional(),
  learningRate: z.number(),
  /** Before clipping; null where its square is beyond single precision. */
  gradientNorm: z.number().nullable(),
});
export type LossPoint = z.infer<typeof lossPointSchema>;

/** Anything that JSON keeps as it is. */
const finite = z.unknown().refine(isFinite, 'holds a number that is not finite');

/** What an observer said about the model after a step; what it measures is its own, in finite numbers. */
export const observationSchema = z
  .object({ step: z.int().nonnegative(), tokens: z.int().nonnegative() })
  .catchall(finite);
export type Observation = z.infer<typeof observationSchema>;

function isFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(isFinite);
}

/** models/<name>/training.json: how a language model was trained. */
const trainingRecordSchema = z.strictObject({
  version: z.literal(1),
  parameters: z.int().positive(),
  steps: z.int().positive(),
  loss: z.number(),
  validationLoss: z.number().nullable(),
  seconds: z.number().nonnegative(),
  tokensPerSecond: z.number().nonnegative(),
  corpus: corpusSchema,
  /** The configuration as languageModelTraining.ts has it, which says what else is in it. */
  config: z
    .object({
      family: z.string(),
      activation: z.string(),
      layers: z.int().positive(),
      neurons: z.int().positive(),
      seed: z.int().nonnegative(),
    })
    .catchall(finite),
  environment: z.record(z.string(), z.union([z.string(), z.number()])),
  curve: z.array(lossPointSchema),
  observations: z.array(observationSchema).optional(),
});
/** What training.json holds. */
export type TrainingRecord = z.infer<typeof trainingRecordSchema>;

/** How the training of a language model is recorded beside it. */
export const trainingRecordKind: ManifestKind<TrainingRecord> = {
  name: 'the training of a language model',
  remedy: 'delete it (the model works without) or train the model again',
  version: 1,
  schema: trainingRecordSchema,
  upgrades: {},
};
