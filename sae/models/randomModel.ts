/** A model with random weights and one token a byte: what tests use where any model will do. */
import { tf } from '../tensor/tf.ts';
import { byteCharacters } from './byteLevel.ts';
import { DecoderModel } from './decoderModel.ts';
import { familyOf } from './families.ts';
import { initialWeights } from './initialWeights.ts';
import { modelConfigOf, parseLanguageModelTraining } from './languageModelTraining.ts';
import type { LanguageModelTraining } from './languageModelTraining.ts';
import { makeTokenizer } from './tokenizer.ts';
import { endOfText, tokenizerConfigJson, tokenizerJson } from './tokenizerFiles.ts';

/** Weights are `scale` times GPT-2's initial ones, so that layers matter. The caller disposes it. */
export function randomModel(options: Partial<LanguageModelTraining> = {}, scale = 10): DecoderModel {
  const small = { d: 16, layers: 2, heads: 4, neurons: 24, contextLength: 32, vocabularySize: 257, seed: 1 };
  const config = modelConfigOf(parseLanguageModelTraining({ ...small, ...options }));
  const { shapes } = familyOf(config);
  const weights = initialWeights(shapes, 1, options.seed ?? 1, config.activation);
  const tensors = new Map(
    [...shapes].map(([name, shape]) => {
      const values = weights.get(name)!;
      return [name, tf.tensor(shape.length > 1 ? values.map((x) => x * scale) : values, [...shape])];
    }),
  );
  const vocabulary = { pieces: [endOfText, ...byteCharacters], merges: [], specialTokens: 1 };
  const tokenizer = makeTokenizer(
    tokenizerJson(vocabulary),
    tokenizerConfigJson(config.contextLength),
    'random',
  );
  return new DecoderModel({ name: 'random', folder: 'random' }, config, tensors, tokenizer);
}
