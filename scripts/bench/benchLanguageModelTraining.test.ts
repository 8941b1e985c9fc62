import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { benchLanguageModelTraining } from './benchLanguageModelTraining.ts';

it('times the steps of a small model and leaves nothing behind', async () => {
  await startBackend('auto');
  const ours = () => readdirSync(tmpdir()).filter((name) => name.startsWith('lazyscope-bench-'));
  const before = ours();
  const shape = {
    family: 'gpt2', activation: 'relu', d: 16, layers: 1, heads: 2, neurons: 24,
    vocabularySize: 64, contextLength: 16, batchSize: 4,
  } as const; // prettier-ignore
  const stages: number[] = [];
  const result = await benchLanguageModelTraining(shape, 3, ({ done }) => void stages.push(done));
  expect(stages).toEqual([1, 2, 3, 4, 5, 6]);
  expect(result.tokensPerSecond).toBeCloseTo((1000 * 64) / result.stepMs);
  expect(result.firstLoss).toBeCloseTo(Math.log(64), 1);
  expect(ours()).toEqual(before);
});
