/** The weight files of a Hugging Face folder: safetensors or PyTorch's own, one file or shards named by an index. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LazyscopeError } from '../errors.ts';
import { readJsonFile } from '../formats/parseJson.ts';
import { openPytorchFile } from '../formats/pytorchFile.ts';
import { readSafetensors } from '../formats/safetensors.ts';
import type { WeightSource } from './weightSource.ts';

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** What to look for, best first. */
const formats: { single: string; open: (path: string) => WeightSource | Promise<WeightSource> }[] = [
  { single: 'model.safetensors', open: readSafetensors },
  { single: 'pytorch_model.bin', open: openPytorchFile },
];

/** Opens each file and checks what it says of its tensors. Throws `not_found` or `corrupt`, naming the file. */
export async function folderWeights(folder: string): Promise<WeightSource[]> {
  for (const { single, open } of formats) {
    const path = join(folder, single);
    if (existsSync(path)) return [await open(path)];
    const index = `${path}.index.json`;
    if (existsSync(index)) return Promise.all(shardsOf(index, folder).map(open));
  }
  throw new LazyscopeError(
    'not_found',
    `'${folder}' has no weights: neither ${formats.map(({ single }) => single).join(' nor ')}, nor shards of them with their index.`,
  );
}

function shardsOf(index: string, folder: string): string[] {
  const parsed = indexSchema.safeParse(readJsonFile(index));
  if (!parsed.success) throw new LazyscopeError('corrupt', `'${index}' has no weight_map of file names.`);
  const files = [...new Set(Object.values(parsed.data.weight_map))].sort();
  const outside = files.find((file) => basename(file) !== file);
  if (outside !== undefined)
    throw new LazyscopeError('bad_input', `'${index}' names '${outside}', which is outside its folder.`);
  return files.map((file) => join(folder, file));
}
