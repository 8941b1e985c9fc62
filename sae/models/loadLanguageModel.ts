/** Opens a Hugging Face folder: config.json, weights as safetensors, tokenizer.json. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { DecoderModel } from './decoderModel.ts';
import { familyOf } from './families.ts';
import { loadWeights } from './loadWeights.ts';
import { parseModelConfig } from './modelConfig.ts';
import { loadTokenizer } from './tokenizer.ts';

/** Throws `not_found`, `corrupt` or `bad_input`, naming the file. The caller disposes the model. */
export async function loadLanguageModel(folder: string): Promise<DecoderModel> {
  const path = join(folder, 'config.json');
  if (!existsSync(path))
    throw new LazyscopeError(
      'not_found',
      `'${folder}' has no config.json: give the folder of a model in Hugging Face layout.`,
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new LazyscopeError('corrupt', `'${path}' is not JSON; fetch it again.`, { cause: error });
  }
  const config = parseModelConfig(json, path);
  const tokenizer = loadTokenizer(folder);
  if (tokenizer.vocabularySize > config.vocabularySize)
    throw new LazyscopeError(
      'bad_input',
      `The tokenizer of '${folder}' has ${tokenizer.vocabularySize} tokens, its model only ${config.vocabularySize}.`,
    );
  const { shapes, naming } = familyOf(config);
  const weights = await loadWeights(folder, shapes, naming);
  const identity = { name: basename(resolve(folder)), folder: resolve(folder) };
  return new DecoderModel(identity, config, weights, tokenizer);
}
