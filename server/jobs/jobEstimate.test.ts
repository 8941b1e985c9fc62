/** Estimates and hook checks of a real server, against what jobs then really take and leave. */
import { readdirSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
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

const dictionaryBytes = async () => {
  const { manifest } = await on.client.runs.get.query({ name: 'fixture-topk' });
  return 2 * manifest.d * manifest.config.width * 4;
};
const sizeOf = (path: string) => statSync(path).size;
/** Files of a few kilobytes are mostly their own descriptions, which formulas leave out. */
const withinFactor = (factor: number, estimated: number, real: number) => {
  expect(estimated / real).toBeGreaterThan(1 / factor);
  expect(estimated / real).toBeLessThan(factor);
};

test('a map: its time by the points that it shows, its disk within a factor of 3 of the file, its rate learnt', async () => {
  const job = { kind: 'map', options: { comparison: 'fixture-topk-0-1', points: 100 } } as const;
  const before = await estimate(job);
  expect(before.seconds).toMatchObject({ measured: false });
  const { manifest } = await on.client.runs.get.query({ name: 'fixture-topk' });
  // Of 64 and 64 latents every second is placed, so that there are at most 100.
  expect(manifest.config.width).toBe(64);
  expect(before.disk?.value).toBe(10 * 64);
  await done(job);
  withinFactor(3, before.disk!.value + 1000, sizeOf(on.store.comparisonMap('fixture-topk-0-1')));
  const after = await estimate({ ...job, options: { comparison: 'fixture-topk-0-1' } });
  expect(after.seconds).toMatchObject({ measured: true });
  expect(after.seconds!.value).toBeGreaterThan((await estimate(job)).seconds!.value);
  expect((await estimate({ ...job, options: { comparison: 'nothing' } })).seconds).toBe(null);
});

test('labels: by latents and seeds; an endpoint is waited for as long as its requests take, once it is to be asked', async () => {
  const job = { kind: 'label' as const, options: { run: 'fixture-topk', seed: [0, 1] } };
  const both = await estimate(job);
  const one = await estimate({ ...job, options: { ...job.options, seed: [0] } });
  expect(both.seconds!.value - 2).toBeCloseTo(2 * (one.seconds!.value - 2), 9);
  expect(both.disk!.value).toBe(2 * 64 * 40);
  const few = await estimate({ ...job, options: { ...job.options, top: 16 } });
  expect(few.disk!.value).toBe(2 * 16 * 40);
  await done(job);
  const files = [0, 1].map((seed) => sizeOf(on.store.automaticLabels('fixture-topk', seed, 'data')));
  withinFactor(4, both.disk!.value, files[0] + files[1]);
  expect((await estimate(job)).seconds).toMatchObject({ measured: true });

  const method = 'endpoint' as const;
  const asked = { ...job.options, method, scoredContexts: 20, requestsPerMinute: 30 };
  const unsent = await estimate({ ...job, options: asked });
  const sent = await estimate({ ...job, options: { ...asked, yes: true } });
  // A label, four requests for detection and four for fuzzing.
  expect(sent.seconds!.value - unsent.seconds!.value).toBeCloseTo((2 * 64 * 9 * 60) / 30, 6);
  expect(sent.seconds!.formula).toMatch(/ \+ requests ÷ requests a minute$/);
});

test('reproducibility: with the comparisons that are missing; with its worth, many runs of the model', async () => {
  const job = { kind: 'reproducibility', options: { run: 'fixture-topk' } } as const;
  const plain = await estimate(job);
  expect(plain.seconds!.formula).not.toContain('compare:');
  const worth = await estimate({ ...job, options: { ...job.options, worth: true } });
  expect(worth.seconds!.value).toBeGreaterThan(plain.seconds!.value);
  const fewer = await estimate({ ...job, options: { ...job.options, worth: true, draws: 3 } });
  expect(fewer.seconds!.value).toBeLessThan(worth.seconds!.value);
  const manifest = on.store.comparisonManifest('fixture-topk-0-2');
  await rename(manifest, `${manifest}.away`);
  const missing = await estimate(job);
  expect(missing.seconds!.formula).toMatch(/^compare: .*; reproducibility: /);
  expect(missing.disk!.value - plain.disk!.value).toBe(100 * 64);
  await rename(`${manifest}.away`, manifest);
  await done(job);
  const files = [0, 1, 2].map((seed) => sizeOf(on.store.reproducibilityOfSeed('fixture-topk', seed)));
  withinFactor(
    3,
    plain.disk!.value,
    files.reduce((sum, size) => sum + size, 0),
  );
  expect((await estimate(job)).seconds).toMatchObject({ measured: true });
});

test('matchings: with the comparisons that are missing, of pairs with another run too; predictions are most of it', async () => {
  const job = { kind: 'matchings', options: { run: 'fixture-topk' } } as const;
  const whole = await estimate(job);
  expect(whole.seconds).toMatchObject({ measured: false });
  expect(whole.seconds!.formula).not.toContain('compare:');
  const alone = { ...job, options: { ...job.options, predictions: false, maxTokens: 512 } };
  const plain = await estimate(alone);
  expect(plain.seconds!.value).toBeLessThan(whole.seconds!.value);
  expect(plain.memory!.value).toBeLessThan(whole.memory!.value);
  const fewer = await estimate({ ...job, options: { ...job.options, sample: 3 } });
  expect(fewer.seconds!.value).toBeLessThan(whole.seconds!.value);
  // Three seeds with each other, and each of them with each of the other run.
  const { config } = (await on.client.runs.get.query({ name: 'fixture-relu' })).manifest;
  const across = await estimate({ ...alone, options: { ...alone.options, against: 'fixture-relu' } });
  const pairs = 3 + 3 * config.seeds.length;
  expect(across.seconds!.formula).toMatch(/^compare: .*; matchings: /);
  const manifest = on.store.comparisonManifest('fixture-topk-0-2');
  await rename(manifest, `${manifest}.away`);
  const missing = await estimate(alone);
  expect(missing.seconds!.formula).toMatch(/^compare: .*; matchings: /);
  expect(missing.disk!.value - plain.disk!.value).toBe(100 * 64);
  await rename(`${manifest}.away`, manifest);
  expect(plain.disk!.value).toBe(3 * 200 * 64);
  expect(across.disk!.value).toBeGreaterThan((pairs / 3) * plain.disk!.value * 0.99);
  await done(alone);
  const files = [0, 1, 2].map((seed) => sizeOf(on.store.flows('fixture-topk', seed)));
  withinFactor(
    4,
    plain.disk!.value,
    files.reduce((sum, size) => sum + size, 0),
  );
  expect((await estimate(alone)).seconds).toMatchObject({ measured: true });
});

test('a consensus is its comparisons, trainings and evaluations; its disk is that of the dictionaries within a factor of 2', async () => {
  const options = { run: 'fixture-topk', seeds: [0, 1], tokens: 2048, name: 'agreed' };
  const job = { kind: 'consensus' as const, options };
  const plain = await estimate(job);
  expect(plain.seconds!.formula).toMatch(/^train: .*; evaluate: /);
  const control = await estimate({ ...job, options: { ...options, control: true } });
  expect(control.seconds!.formula).toMatch(/^train: .*; train: .*; evaluate: /);
  const bytes = await dictionaryBytes();
  expect(control.disk!.value - plain.disk!.value).toBe(bytes);
  await done(job);
  const written = sizeOf(on.store.dictionary('agreed', 0));
  withinFactor(1.1, bytes, written);
  withinFactor(2, plain.disk!.value, written + sizeOf(on.store.evaluation('agreed', 0)));
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
  const { mkdir } = await import('node:fs/promises');
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
