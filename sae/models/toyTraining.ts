/** Language models small enough to be trained within a test, on the text of the fixtures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LanguageModelTraining } from './languageModelTraining.ts';
import { tokenizeCorpus, type Corpus } from './tokenizeCorpus.ts';
import { trainLanguageModel } from './trainLanguageModel.ts';

export const tinyTraining: Partial<LanguageModelTraining> = {
  d: 16, layers: 1, heads: 2, neurons: 24, contextLength: 16, batchSize: 4, steps: 24, warmupSteps: 4,
  learningRate: 1e-2, validationFraction: 0.05, validationSequences: 4, validateEvery: 12, logEvery: 4, dtype: 'F32',
}; // prettier-ignore

export interface ToyTraining {
  root: string;
  corpus: Corpus;
  /** Trains into the folder `name` of `root`. */
  train(
    name: string,
    config?: Partial<LanguageModelTraining>,
    options?: object,
  ): ReturnType<typeof trainLanguageModel>;
  remove(): void;
}

export async function toyTraining(common: Partial<LanguageModelTraining> = {}): Promise<ToyTraining> {
  const root = mkdtempSync(join(tmpdir(), 'lazyscope-lm-'));
  const corpus = await tokenizeCorpus({
    text: join(import.meta.dirname, 'fixtures/text.txt'),
    folder: join(root, 'corpus'),
    vocabularySize: 280,
  });
  return {
    root,
    corpus,
    train: (name, config = {}, options = {}) =>
      trainLanguageModel({
        corpus,
        folder: join(root, name),
        config: { ...tinyTraining, ...common, ...config },
        environment: { backend: 'cpu' },
        ...options,
      }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
