/** Schema of training configurations, made of the descriptions of the architectures. */
import { z } from 'zod';
import {
  allArchitectureNames,
  type ArchitectureName,
  describedArchitecture,
  type TrainingConfig,
} from './architectures/architectures.ts';
import { shapeOf } from './schema.ts';
import { startFields } from './startFields.ts';
import { trainingFields } from './trainingFields.ts';

function settingsOf(name: ArchitectureName) {
  const { settings } = describedArchitecture(name);
  const shape: Record<string, z.ZodType> = shapeOf(settings);
  for (const [setting, { before }] of Object.entries(settings))
    if (before !== undefined) shape[setting] = shape[setting].default(before);
  return shape;
}

const member = (name: ArchitectureName) =>
  z.strictObject({
    architecture: z.literal(name),
    outputHook: z.string().optional(),
    skip: z.boolean().optional(),
    ...shapeOf(trainingFields),
    ...z.object(shapeOf(startFields)).partial().shape,
    ...settingsOf(name),
  });
const [first, ...others] = allArchitectureNames.map(member);

/** The schema of a training configuration; which settings it has depends on the architecture. */
export const trainingConfigSchema = z.discriminatedUnion('architecture', [
  first,
  ...others,
]) as unknown as z.ZodType<TrainingConfig, TrainingConfig>;
