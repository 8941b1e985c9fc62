/** Estimates and hook checks of a real server, against what jobs then really take and leave. */
import { readdirSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { rateFor } from '../queries/measuredRates.ts';
import { startTestServer, type TestServer } from '../testServer.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on?.stop());

const estimate = (job: JobStartInput) => on.client.jobs.estimate.query(job);
const bytesOf = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true }).reduce(
    (sum, entry) =>
      sum +
      (entry.isDirectory() ? bytesOf(join(folder, entry.name)) : statSync(join(folder, entry.name)).size),
    0,
  );

async function done(job: JobStartInput): Promise<void> {
  const { id } = await on.client.jobs.start.mutate(job);
  const ended = await vi.waitUntil(
    async () => {
      const now = await on.client.jobs.get.query({ id });
      return now.finishedAt === null ? null : now;
    },
    { timeout: 120_000, interval: 200 },
  );
  expect([ended.status, ended.error]).toEqual(['done', null]);
}

const capture = {
  kind: 'capture',
  options: {
    model: 'fixture-relu',
    text: 'dataset:moby-dick',
    hooks: ['blocks.0.hook_resid_post', 'blocks.0.mlp.hook_post'],
    maxTokens: 8192,
    dtype: 'float32',
    name: 'estimated',
  },
} as const satisfies JobStartInput;

test('nothing of the kind was run here: the time is a guess and says so; the disk is what is then written', async () => {
  const before = await estimate(capture);
  expect(before.seconds).toMatchObject({ measured: false });
  expect(before.seconds?.basis).toContain('is a guess');
  expect(before.disk?.formula).toContain('widths of the hook points');
  await done(capture);
  const written = bytesOf(on.store.capture('estimated'));
  expect(written / before.disk!.value).toBeGreaterThan(0.95);
  expect(written / before.disk!.value).toBeLessThan(1.1);

  // The same again takes what it took, less what a busy machine adds: its rate is learnt.
  const after = await estimate(capture);
  expect(after.seconds).toMatchObject({ measured: true });
  expect(after.seconds?.basis).toContain('one job of the kind');
  const twice = await estimate({ ...capture, options: { ...capture.options, maxTokens: 16_384 } });
  expect(twice.seconds!.value - 2).toBeCloseTo(2 * (after.seconds!.value - 2), 6);
});

test('a training says what its settings come to, and counts what comes after it', async () => {
  const options = { architecture: 'topk' as const, capture: 'fixture', seeds: [0, 1, 2] };
  const plain = await estimate({ kind: 'train', options });
  const { d } = (await on.client.runs.get.query({ name: 'fixture-topk' })).manifest;
  const width = Number(plain.usual['width']!.replaceAll(',', ''));
  expect(plain.disk?.value).toBe(3 * 2 * d * width * 4);
  expect(plain.usual).toMatchObject({ hook: 'blocks.0.hook_resid_post', batchSize: expect.any(String) });
  const whole = await estimate({ kind: 'train', options: { ...options, analyse: true } });
  expect(whole.seconds!.value).toBeGreaterThan(plain.seconds!.value);
  expect(whole.seconds!.formula).toMatch(/^train: .*; evaluate: .*; index: .*; compare: /);
  await done({
    kind: 'train',
    options: { ...options, seeds: [0, 1], tokens: 4096, width: 64, name: 'small' },
  });
  // Runs on another processor, as the fixture's are, don't count.
  const again = await estimate({ kind: 'train', options });
  expect(again.seconds?.measured).toBe(true);
  const { manifest } = await on.client.runs.get.query({ name: 'small' });
  expect(manifest.environment.cpu).toBe(cpus()[0]?.model.trim());
  const rate = (6 * 2 * manifest.config.tokens * d * 64) / manifest.seconds;
  const tokens = Number(again.usual['tokens']!.replaceAll(',', ''));
  expect(again.seconds!.value).toBeCloseTo(2 + (6 * 3 * tokens * d * width) / rate, 6);
});

test('what is not known yet is not estimated', async () => {
  const whole = await estimate({ ...capture, options: { ...capture.options, maxTokens: undefined } });
  expect([whole.seconds, whole.disk]).toEqual([null, null]);
  expect(whole.memory?.value).toBeGreaterThan(0);
  const gone = await estimate({ kind: 'evaluate', options: { run: 'no-such-run' } });
  expect([gone.seconds, gone.memory]).toEqual([null, null]);
  expect(gone.free.disk).toBeGreaterThan(0);
});

test('the rate of the jobs nearest in size counts, of the same architecture where there are any', () => {
  const measured = [
    { work: 100, seconds: 100, architecture: 'relu' },
    { work: 1_000, seconds: 10, architecture: 'relu' },
    { work: 1_100, seconds: 10, architecture: 'relu' },
    { work: 1_200, seconds: 10, architecture: 'relu' },
    { work: 1_000, seconds: 1, architecture: 'topk' },
  ];
  expect(rateFor(1_050, measured, 'relu')).toEqual({ rate: 110, of: 3 });
  expect(rateFor(1_050, measured, 'topk')).toEqual({ rate: 1_000, of: 1 });
  expect(rateFor(5, measured, 'gated')?.of).toBe(3);
  expect(rateFor(5, [], 'gated')).toBe(undefined);
  // A second of mostly starting says nothing about an hour of work.
  expect(rateFor(29_000, measured.slice(4))?.rate).toBe(1_000);
  expect(rateFor(31_000, measured.slice(4))).toBe(undefined);
});

test('hook points are checked against the model, with the one that was meant', async () => {
  const hooks = [
    'blocks.0.hook_resid_post',
    'blocks.0.resid_post',
    'blocks.7.hook_mlp_out',
    'attn.hook_pattern',
  ];
  const checks = await on.client.models.hooks.query({
    model: 'fixture-relu',
    hooks: [...hooks, 'blocks.0.attn.hook_pattern'],
  });
  const { d } = (await on.client.models.list.query()).find(({ name }) => name === 'fixture-relu')!;
  expect(checks[0]).toEqual({ hook: hooks[0], width: d, fault: null, nearest: null });
  expect(checks[1]).toMatchObject({ width: null, nearest: 'blocks.0.hook_resid_post' });
  expect(checks[1]?.fault).toBe(
    "'fixture-relu' has no hook point 'blocks.0.resid_post': did you mean 'blocks.0.hook_resid_post'?",
  );
  expect(checks[2]?.nearest).toMatch(/^blocks\.\d\.hook_mlp_out$/);
  expect(checks[3]?.width).toBe(null);
  // It exists and has no width of its own, so it can't be captured either.
  expect(checks[4]?.fault).toContain('no fixed width');
  await expect(on.client.models.hooks.query({ model: 'nothing', hooks: [] })).rejects.toThrow(
    /no model 'nothing'/,
  );
});

test('a dictionary is exported by a job, waits among the imports, and comes back as a run', async () => {
  await done({
    kind: 'export',
    options: { dictionary: { run: 'fixture-topk', seed: 1 }, format: 'sparsify' },
  });
  const { rename, mkdir } = await import('node:fs/promises');
  await mkdir(on.store.imports(), { recursive: true });
  await rename(on.store.exported('fixture-topk-1-sparsify'), on.store.imported('theirs'));
  expect(await on.client.jobs.imports.query()).toEqual(['theirs']);
  const job = {
    kind: 'import',
    options: { path: 'theirs', capture: 'fixture', hook: 'blocks.0.hook_resid_post', name: 'back' },
  } as const;
  expect((await estimate(job)).disk?.value).toBe(bytesOf(on.store.imported('theirs')));
  await done(job);
  const { manifest } = await on.client.runs.get.query({ name: 'back' });
  expect(manifest).toMatchObject({ origin: { format: 'sparsify' }, config: { architecture: 'topk', k: 8 } });
});

test('a language model is trained by a job and is then among the models', async () => {
  const options = {
    text: 'dataset:moby-dick',
    name: 'own',
    vocabulary: 300,
    d: 16,
    layers: 1,
    heads: 2,
    neurons: 32,
    contextLength: 32,
    batchSize: 2,
    steps: 4,
  } as const;
  const { disk } = await estimate({ kind: 'lmTrain', options });
  await done({ kind: 'lmTrain', options });
  const model = (await on.client.models.list.query()).find(({ name }) => name === 'own')!;
  expect(model).toMatchObject({ d: 16, layers: 1, neurons: 32, activation: 'relu' });
  // Positions, norms and biases aside.
  expect((2 * model.parameters) / disk!.value).toBeGreaterThan(0.95);
  expect((2 * model.parameters) / disk!.value).toBeLessThan(1.5);
  const job = (await on.client.jobs.list.query()).find(({ kind }) => kind === 'lmTrain')!;
  expect(job.subject).toEqual({ what: 'model', name: 'own' });
  expect(job.command).toMatch(/^lazyscope lm train --text=/);
});
