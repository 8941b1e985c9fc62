/** The weight files of a Hugging Face folder: one model.safetensors, or shards named by model.safetensors.index.json. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import type { WeightSource } from './weightSource.ts';

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Opens each file and checks its header. Throws `not_found` or `corrupt`, naming the file. */
export async function folderWeights(folder: string): Promise<WeightSource[]> {
  return Promise.all(weightFiles(folder).map((path) => readSafetensors(path)));
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
