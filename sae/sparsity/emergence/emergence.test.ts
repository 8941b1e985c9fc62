import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBackend } from '../../backends/startBackend.ts';
import { tokenizeCorpus } from '../../tokens/tokenizeCorpus.ts';
import { trainLanguageModel } from '../../pretraining/trainLanguageModel.ts';
import { tf } from '../../tensor/tf.ts';
import { emergenceObserver, spreadSteps } from './emergence.ts';

let root: string;
beforeAll(async () => {
  await startBackend('auto');
  root = mkdtempSync(join(tmpdir(), 'lazyscope-emergence-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('observed steps are spread over the logarithm of time and end with the last', () => {
  expect(spreadSteps(1000, 4)).toEqual([1, 10, 100, 1000]);
  expect(spreadSteps(3, 8)).toEqual([1, 2, 3]);
  expect(spreadSteps(5, 1)).toEqual([5]);
});

test('a training with an observer writes down how its neurons fire from the first step to the last', async () => {
  const corpus = await tokenizeCorpus({
    text: join(import.meta.dirname, '../../tokens/fixtures/text.txt'),
    folder: join(root, 'corpus'),
    vocabularySize: 280,
  });
  const before = tf.memory().numTensors;
  await trainLanguageModel({
    corpus,
    folder: join(root, 'model'),
    config: {
      d: 16, layers: 2, heads: 2, neurons: 24, contextLength: 16, batchSize: 4, steps: 40, warmupSteps: 4,
      learningRate: 1e-2, validationFraction: 0.05, validationSequences: 8, dtype: 'F32',
    },
    environment: {},
    observer: emergenceObserver(40, 4),
  }); // prettier-ignore
  expect(tf.memory().numTensors).toBe(before);
  const { observations } = JSON.parse(readFileSync(join(root, 'model', 'training.json'), 'utf8')) as {
    observations: {
      step: number;
      tokens: number;
      crossEntropy: number;
      layers: { activationRatio: number; ratioAtCett: number }[];
    }[];
  };
  expect(observations.map(({ step }) => step)).toEqual([0, 1, 3, 12, 40]);
  expect(observations[0].crossEntropy).toBeCloseTo(Math.log(280), 1);
  // Before the first step a ReLU lets half of its inputs through.
  for (const layer of observations[0].layers) expect(Math.abs(layer.activationRatio - 0.5)).toBeLessThan(0.1);
  expect(observations[4].crossEntropy).toBeLessThan(observations[0].crossEntropy - 0.5);
  expect(observations[4].layers).toHaveLength(2);
});
