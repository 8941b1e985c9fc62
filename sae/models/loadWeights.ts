/**
 * Weights of a Hugging Face folder: one model.safetensors, or shards named by model.safetensors.index.json.
 * Every tensor the model needs must be there with the right shape, and nothing may be left over: a tensor
 * nobody reads means that the model is not the one its config.json describes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { tf } from '../tensor/tf.ts';
import type { Tensor } from '../tensor/tf.ts';
import type { ParameterShapes, WeightNaming } from './families/storedModules.ts';

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Float32 tensors by name; the caller's to dispose. Throws `not_found`, `corrupt`, or `bad_input` naming the tensor. */
export async function loadWeights(
  folder: string,
  shapes: ParameterShapes,
  naming: WeightNaming,
): Promise<Map<string, Tensor>> {
  const located = new Map<string, { file: SafetensorsFile; stored: string }>();
  const unexpected: string[] = [];
  for (const path of weightFiles(folder)) {
    const file = await readSafetensors(path);
    for (const stored of file.names) {
      if (naming.ignored.test(stored)) continue;
      const name = shapes.has(stored) ? stored : naming.prefix + stored;
      if (shapes.has(name)) located.set(name, { file, stored });
      else unexpected.push(stored);
    }
  }
  const missing = [...shapes.keys()].filter((name) => !located.has(name));
  if (missing.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `The weights in '${folder}' lack ${list(missing)}: fetch them again.`,
    );
  if (unexpected.length > 0)
    throw new LazyscopeError(
      'bad_input',
      `The weights in '${folder}' have tensors that its config.json does not account for: ${list(unexpected)}.`,
    );
  for (const [name, shape] of shapes) {
    const { file, stored } = located.get(name)!;
    const actual = file.shape(stored);
    if (actual.join() !== shape.join())
      throw new LazyscopeError(
        'bad_input',
        `'${stored}' of '${file.path}' has shape [${actual.join(', ')}]; config.json makes it [${shape.join(', ')}].`,
      );
  }

  const weights = new Map<string, Tensor>();
  try {
    for (const [name, shape] of shapes) {
      const { file, stored } = located.get(name)!;
      weights.set(name, tf.tensor(file.float32(stored), [...shape], 'float32'));
    }
  } catch (error) {
    for (const weight of weights.values()) weight.dispose();
    throw error;
  }
  return weights;
}

function weightFiles(folder: string): string[] {
  const single = join(folder, 'model.safetensors');
  if (existsSync(single)) return [single];
  const index = join(folder, 'model.safetensors.index.json');
  if (!existsSync(index))
    throw new LazyscopeError(
      'not_found',
      `'${folder}' has neither model.safetensors nor model.safetensors.index.json: fetch the weights in safetensors format.`,
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(index, 'utf8'));
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${index}' is not JSON; fetch it again.`, { cause: error });
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw new LazyscopeError('corrupt', `'${index}' has no weight_map of file names.`);
  const files = [...new Set(Object.values(parsed.data.weight_map))].sort();
  const outside = files.find((file) => basename(file) !== file);
  if (outside !== undefined)
    throw new LazyscopeError('bad_input', `'${index}' names '${outside}', which is outside its folder.`);
  return files.map((file) => join(folder, file));
}

function list(names: string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
