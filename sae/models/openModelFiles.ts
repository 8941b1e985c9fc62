/** Opens a Hugging Face folder or a GGUF file. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { readJsonFile } from '../formats/parseJson.ts';
import { loadTokenizer } from '../tokens/tokenizer.ts';
import { folderWeights } from './folderWeights.ts';
import { openGgufModel } from './gguf/ggufModel.ts';
import { isGguf } from './isModel.ts';
import type { ModelFiles } from './modelFiles.ts';

/** Throws `not_found`, `corrupt` or `bad_input`, naming the file. No weight is read. */
export function openModelFiles(path: string): ModelFiles {
  if (isGguf(path)) return openGgufModel(path);
  const configSource = join(path, 'config.json');
  if (!existsSync(configSource))
    throw new LazyscopeError(
      'not_found',
      `'${path}' has no config.json: give the folder of a model in Hugging Face layout, or a .gguf file.`,
    );
  const config = readJsonFile(configSource);
  return {
    name: basename(resolve(path)),
    config,
    configSource,
    tokenizer: () => loadTokenizer(path),
    weights: () => folderWeights(path),
  };
}
