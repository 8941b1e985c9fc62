/** Opens a language model: a Hugging Face folder (config.json, weights, tokenizer.json), or a GGUF file. */
import { resolve } from 'node:path';
import { LazyscopeError } from '../errors.ts';
import { bringInFolder } from '../store/remote/bringIn.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { initialActivationParameter } from './activationFunctions/activationParameters.ts';
import type { ActivationFunctionName } from './activationFunctions/activationFunctions.ts';
import { DecoderModel } from './decoderModel.ts';
import { familyOf } from './families/families.ts';
import { loadWeights } from './loadWeights.ts';
import type { ModelConfig } from './modelConfig.ts';
import { openModelFiles } from './openModelFiles.ts';
import { parseModelConfig } from './readModelConfig.ts';

export interface LoadOptions {
  /** Runs the model with another activation function than it was trained with, its parameters at their initial values. */
  replaceActivation?: ActivationFunctionName | undefined;
}

/** Throws `not_found`, `corrupt` or `bad_input`, naming the file. The caller disposes the model. */
export async function loadLanguageModel(path: string, options: LoadOptions = {}): Promise<DecoderModel> {
  await bringInFolder(path);
  const files = openModelFiles(path);
  const config = parseModelConfig(files.config, files.configSource);
  const tokenizer = files.tokenizer();
  if (tokenizer.vocabularySize > config.vocabularySize)
    throw new LazyscopeError(
      'bad_input',
      `The tokenizer of '${path}' has ${tokenizer.vocabularySize} tokens, its model only ${config.vocabularySize}.`,
    );
  const { shapes, naming } = familyOf(config);
  const weights = loadWeights(await files.weights(), path, shapes, naming);
  const identity = { name: files.name, folder: resolve(path) };
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
