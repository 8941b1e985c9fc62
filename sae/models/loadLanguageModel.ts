/** Opens a Hugging Face folder: config.json, weights as safetensors, tokenizer.json. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { initialActivationParameter } from './activationFunctions/activationParameters.ts';
import type { ActivationFunctionName } from './activationFunctions/activationFunctions.ts';
import { DecoderModel } from './decoderModel.ts';
import { familyOf } from './families/families.ts';
import { loadWeights } from './loadWeights.ts';
import { parseModelConfig, type ModelConfig } from './modelConfig.ts';
import { loadTokenizer } from '../tokens/tokenizer.ts';

export interface LoadOptions {
  /** Runs the model with another activation function than it was trained with, its parameters at their initial values. */
  replaceActivation?: ActivationFunctionName | undefined;
}

/** Throws `not_found`, `corrupt` or `bad_input`, naming the file. The caller disposes the model. */
export async function loadLanguageModel(folder: string, options: LoadOptions = {}): Promise<DecoderModel> {
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
  const { replaceActivation } = options;
  if (replaceActivation === undefined) return new DecoderModel(identity, config, weights, tokenizer);
  return new DecoderModel(
    identity,
    { ...config, activation: replaceActivation },
    replaceParameters(weights, config, replaceActivation),
    tokenizer,
  );
}

/** The weights with the parameters of one activation function taken out and the initial ones of another put in. */
function replaceParameters(
  weights: Map<string, Tensor>,
  config: ModelConfig,
  activation: ActivationFunctionName,
): Map<string, Tensor> {
  const { shapes } = familyOf({ ...config, activation });
  for (const [name, weight] of weights)
    if (initialActivationParameter(name, config.activation)) {
      weight.dispose();
      weights.delete(name);
    }
  for (const name of shapes.keys()) {
    const initial = initialActivationParameter(name, activation);
    if (initial) weights.set(name, tf.tensor1d([...initial]));
  }
  return weights;
}
