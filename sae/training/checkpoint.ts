/**
 * runs/<name>/checkpoints/step-<n>.safetensors: one file with everything a resumed run needs (parameters, Adam's
 * moments, firing counters, where the data source stands, how long metrics.arrow was). It appears whole or not at
 * all; the last two are kept, in case the newest can't be read.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type DictionaryArrays, parameterNames } from '../autoencoders/dictionary.ts';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors, type TensorToWrite, writeSafetensors } from '../formats/safetensors.ts';
import { type ArchitectureName, describedArchitecture } from '../spec/architectures/architectures.ts';
import { type SourceState, sourceStateSchema } from './batchSource.ts';
import type { DictionaryState, TrainerState } from './trainer.ts';
import { removeStored } from '../store/remote/bringIn.ts';

export interface Checkpoint {
  trainer: TrainerState;
  source: SourceState;
  metricsBytes: number;
  /** Wall-clock seconds of training so far. */
  seconds: number;
}

const kept = 2;
const nameOf = (step: number) => `step-${step}.safetensors`;
const stepOf = (name: string) => Number(/^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? NaN);

const metadataSchema = z.object({
  step: z.coerce.number().int().nonnegative(),
  scale: z.coerce.number().positive(),
  seeds: z.coerce.number().int().positive(),
  metricsBytes: z.coerce.number().int().nonnegative(),
  seconds: z.coerce.number().nonnegative(),
  source: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(sourceStateSchema),
});

export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  const { trainer, source, metricsBytes, seconds } = checkpoint;
  const tensors: Record<string, TensorToWrite> = {};
  trainer.dictionaries.forEach((state, index) => {
    for (const part of ['parameters', 'first', 'second'] as const)
      for (const name of parameterNames) {
        const data = state[part][name];
        if (data) tensors[`${index}.${part}.${name}`] = { shape: [data.length], data };
      }
    tensors[`${index}.sinceFired`] = { shape: [state.sinceFired.length], data: state.sinceFired };
    for (const [name, value] of Object.entries(state.state))
      tensors[`${index}.state.${name}`] = { shape: [], data: Float64Array.of(value) };
  });
  await writeSafetensors(join(folder, nameOf(trainer.step)), tensors, {
    step: String(trainer.step),
    scale: String(trainer.scale),
    seeds: String(trainer.dictionaries.length),
    metricsBytes: String(metricsBytes),
    seconds: String(seconds),
    source: JSON.stringify(source),
  });
  for (const step of (await checkpointSteps(folder)).slice(kept))
    await removeStored(join(folder, nameOf(step)));
}

/** Steps at which there are checkpoints, newest first. */
async function checkpointSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .map(stepOf)
    .filter((step) => !Number.isNaN(step))
    .sort((a, b) => b - a);
}

/** The newest checkpoint that can be read; null when there is none at all. Throws `corrupt` when none can be read. */
export async function readCheckpoint(
  folder: string,
  architecture: ArchitectureName,
): Promise<Checkpoint | null> {
  let failure: unknown = null;
  for (const step of await checkpointSteps(folder)) {
    try {
      return await read(join(folder, nameOf(step)), architecture);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure) throw failure;
  return null;
}

async function read(path: string, architecture: ArchitectureName): Promise<Checkpoint> {
  const { trainingState } = describedArchitecture(architecture);
  const file = await readSafetensors(path);
  const metadata = metadataSchema.safeParse(file.metadata);
  if (!metadata.success)
    throw new LazyscopeError(
      'corrupt',
      `'${path}' is not a checkpoint: delete it and resume from an earlier one.`,
    );
  const { step, scale, seeds, metricsBytes, seconds, source } = metadata.data;
  const optional = (name: string) => (file.has(name) ? file.float32(name) : null);
  const part = (prefix: string): DictionaryArrays => ({
    wEnc: file.float32(`${prefix}.wEnc`),
    bEnc: file.float32(`${prefix}.bEnc`),
    wDec: file.float32(`${prefix}.wDec`),
    bDec: file.float32(`${prefix}.bDec`),
    logThreshold: optional(`${prefix}.logThreshold`),
    rMag: optional(`${prefix}.rMag`),
    bMag: optional(`${prefix}.bMag`),
    wSkip: optional(`${prefix}.wSkip`),
  });
  const dictionaries = Array.from({ length: seeds }, (_, index): DictionaryState => ({
    parameters: part(`${index}.parameters`),
    first: part(`${index}.first`),
    second: part(`${index}.second`),
    sinceFired: file.float64(`${index}.sinceFired`),
    state: Object.fromEntries(
      Object.entries(trainingState).map(([name, before]) => {
        // A checkpoint made before the architecture kept this has none of it.
        const tensor = `${index}.state.${name}`;
        return [name, file.has(tensor) ? file.float64(tensor)[0] : before];
      }),
    ),
  }));
  return { trainer: { step, scale, dictionaries }, source, metricsBytes, seconds };
}
