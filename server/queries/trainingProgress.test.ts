import { mkdtemp, rm, truncate, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StoreLayout } from '../../sae/store/layout.ts';
import { writeFixtureMetrics } from '../fixtures/fixtureMetrics.ts';
import { FollowedMetrics } from '../../sae/training/thinnedMetrics.ts';
import { trainingProgress } from './trainingProgress.ts';

let store: StoreLayout;
const progress = new FollowedMetrics(2);
const log = (line: string) => {
  throw new Error(line);
};
beforeAll(async () => {
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-progress-')));
  await writeFixtureMetrics(store, 'run', [3, 5], 120, 256);
});
afterAll(() => rm(store.root, { recursive: true, force: true }));

const run = {
  name: 'run',
  status: 'training' as const,
  totalSteps: 400,
  config: { seeds: [3, 5], batchSize: 256 },
};

test('a training is where its last logged step is, whatever the last checkpoint says', async () => {
  const found = await trainingProgress({ store, progress, log }, run);
  expect(found).toMatchObject({ step: 120, tokensPerSecond: 30_000 });
  expect(found?.secondsLeft).toBeCloseTo((280 * 256 * 2) / 30_000, 9);
  expect(found?.fvu).toBeCloseTo(0.15 + 0.85 * Math.exp(-3), 9);
});

test('a step that is being written is not there yet', async () => {
  const path = store.runMetrics('run');
  const { size } = await stat(path);
  await truncate(path, size - 40);
  expect((await trainingProgress({ store, progress, log }, run))?.step).toBe(115);
});

test('there is none of a finished run, or before the first logged step', async () => {
  expect(await trainingProgress({ store, progress, log }, { ...run, status: 'complete' })).toBe(null);
  expect(await trainingProgress({ store, progress, log }, { ...run, name: 'other' })).toBe(null);
});
