/** The checkpoint of a language-model training: weights, Adam's moments, step and loss curve in one file, from which it resumes to the same bits. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors, writeSafetensors } from '../formats/safetensors.ts';
import type { TensorToWrite } from '../formats/safetensors.ts';
import type { Variable } from '../tensor/tf.ts';
import { lossPointSchema, observationSchema } from '../spec/manifests/trainingRecord.ts';
import { languageModelTrainingSchema } from './languageModelTraining.ts';
import type { LanguageModelTraining } from './languageModelTraining.ts';

const stateSchema = z.strictObject({
  config: languageModelTrainingSchema,
  corpusSha256: z.string(),
  /** Number of steps done. */
  step: z.int().nonnegative(),
  /** Wall-clock seconds of training so far. */
  seconds: z.number().nonnegative(),
  curve: z.array(lossPointSchema),
  /** The losses of steps after the last point of the curve: their sum and number; absent where there are none. */
  sinceLastPoint: z.strictObject({ sum: z.number(), steps: z.int().positive() }).optional(),
  /** The observer's measurements so far, by step. */
  observations: z.array(observationSchema).default([]),
});
export type TrainingState = z.infer<typeof stateSchema>;

/** Names and variables of the checkpoint; weights and both moments are in the order of `names`. */
export interface TrainingTensors {
  names: readonly string[];
  parameters: readonly Variable[];
  m: readonly Variable[];
  v: readonly Variable[];
}

const roles = ['parameters', 'm', 'v'] as const;

export async function writeCheckpoint(
  path: string,
  state: TrainingState,
  tensors: TrainingTensors,
): Promise<void> {
  const stored: Record<string, TensorToWrite> = {};
  for (const role of roles)
    for (const [i, variable] of tensors[role].entries())
      stored[`${role}.${tensors.names[i]}`] = {
        shape: variable.shape,
        data: (await variable.data()) as Float32Array,
        dtype: 'F32',
      };
  await writeSafetensors(path, stored, { state: JSON.stringify(state) });
}

/**
 * Reads a checkpoint and calls `restore` with each stored tensor. Returns undefined when there is no checkpoint; throws `conflict` when it
 * belongs to another configuration or text.
 */
export async function readCheckpoint(
  path: string,
  expected: { config: LanguageModelTraining; corpusSha256: string },
  names: readonly string[],
  restore: (role: (typeof roles)[number], index: number, values: Float32Array) => void,
): Promise<TrainingState | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await readSafetensors(path);
  let state: TrainingState;
  try {
    state = stateSchema.parse(JSON.parse(file.metadata.state ?? 'null'));
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not a checkpoint of a language-model training.`, {
      cause: error,
    });
  }
  const changed = Object.keys(expected.config).find((key) => {
    const field = key as keyof LanguageModelTraining;
    return expected.config[field] !== state.config[field];
  });
  if (changed !== undefined || state.corpusSha256 !== expected.corpusSha256)
    throw new LazyscopeError(
      'conflict',
      `'${path}' was made with another ${changed ?? 'text'}: resume with the same, or train into another folder.`,
    );
  for (const role of roles)
    for (const [i, name] of names.entries()) restore(role, i, file.float32(`${role}.${name}`));
  return state;
}
