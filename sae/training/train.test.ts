import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { toyHook, writeToyCapture } from '../fixtures/toyCapture.ts';
import { loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { startBackend } from '../backends/startBackend.ts';
import { StoreLayout } from '../store/layout.ts';
import { architectureNames, describedArchitecture, settingOfK } from '../spec/architectures/architectures.ts';
import type { ArchitectureName } from '../spec/architectures/architectures.ts';
import { logKinds } from '../spec/logKinds.ts';
import type { RunManifest } from '../spec/manifests/run.ts';
import { tf } from '../tensor/tf.ts';
import { defaultTrainingConfig } from './defaults.ts';
import { exportMetrics } from './exportMetrics.ts';
import { readMetrics } from './metrics.ts';
import { logFile } from './metricsLogs.ts';
import { train, type TrainOptions } from './train.ts';

const hook = toyHook;
const environment = {
  lazyscope: '0', node: process.version, platform: 'test', cpu: 'test', backend: 'native', threads: 1,
}; // prettier-ignore
let store: StoreLayout;

beforeAll(async () => {
  await startBackend('native', { threads: 1 });
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-train-')));
  await writeToyCapture(store, 'toy');
});

function options(name: string, architecture: ArchitectureName, changes: object = {}): TrainOptions {
  const config = defaultTrainingConfig(architecture, {
    capture: 'toy',
    hook,
    d: 8,
    tokens: 1600,
    batchSize: 32,
    width: 24,
    seeds: [3, 5],
    checkpointEvery: 20,
    logEvery: 7,
    deadAfter: 300,
    ...(settingOfK(architecture) && { k: 3 }),
    ...changes,
  });
  return { store, name, config, environment };
}

/** Aborts once `step` is reported. */
function stopAt(step: number) {
  const controller = new AbortController();
  const report: TrainOptions['report'] = ({ done }) => {
    if (done >= step) controller.abort();
  };
  return { signal: controller.signal, report };
}
const bytesOf = (name: string, seed: number) => readFileSync(store.dictionary(name, seed));
const withoutTimes = async (name: string) =>
  (await readMetrics(store.runMetrics(name))).map((row) => ({ ...row, tokensPerSecond: 0 }));

describe.each(architectureNames)('%s', (architecture) => {
  const whole = `${architecture}-whole`;
  const parts = `${architecture}-parts`;
  let manifest: RunManifest;

  test('a run ends with a dictionary a seed, a complete manifest and metrics of every seed', async () => {
    const before = tf.memory().numTensors;
    const values: Record<string, number>[] = [];
    manifest = await train({ ...options(whole, architecture), report: (p) => values.push(p.values ?? {}) });
    expect(tf.memory().numTensors).toBe(before);
    expect(manifest).toMatchObject({ status: 'complete', step: 50, totalSteps: 50, d: 8 });
    expect(manifest.tokensPerSecond).toBeGreaterThan(0);
    const rows = await readMetrics(store.runMetrics(whole));
    expect(rows.map(({ step, seed }) => [step, seed])).toEqual(
      [7, 14, 21, 28, 35, 42, 49, 50].flatMap((step) => [[step, 3], [step, 5]]),
    ); // prettier-ignore
    expect(rows.every((row) => Object.values(row).every(Number.isFinite))).toBe(true);
    expect(rows.at(-1)?.tokens).toBe(1600);
    expect(values.at(-1)).toMatchObject({
      loss: expect.any(Number),
      l0: expect.any(Number),
      fvu: expect.any(Number),
    });
    for (const seed of [3, 5]) expect((await loadAutoencoder(store, whole, seed)).latents).toBe(24);
    expect(bytesOf(whole, 3).equals(bytesOf(whole, 5))).toBe(false);
    expect((await readdir(store.run(whole))).sort()).toEqual([
      'metrics.arrow',
      'run.json',
      'seed-3',
      'seed-5',
    ]);
  });

  test('interrupted and resumed gives the same bits as uninterrupted', async () => {
    await expect(train({ ...options(parts, architecture), ...stopAt(28) })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(JSON.parse(readFileSync(store.runManifest(parts), 'utf8'))).toMatchObject({
      status: 'interrupted',
    });
    expect(existsSync(store.dictionary(parts, 3))).toBe(false);
    await train({ ...options(parts, architecture), resume: true });
    for (const seed of [3, 5]) {
      const [a, b] = [await loadAutoencoder(store, whole, seed), await loadAutoencoder(store, parts, seed)];
      for (const name of ['wEnc', 'bEnc', 'wDec', 'bDec', 'threshold'] as const)
        expect(b[name]).toEqual(a[name]);
    }
    expect(await withoutTimes(parts)).toEqual(await withoutTimes(whole));
  });

  test('the exported dictionary acts on raw activations: scale is folded in', async () => {
    const autoencoder = await loadAutoencoder(store, whole, 3);
    const x = tf.tensor2d(
      Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) * 3),
      [8, 8],
    );
    const code = autoencoder.encode(x);
    const twice = autoencoder.decode(code);
    expect([...twice.dataSync()]).toEqual([...autoencoder.reconstruct(x).dataSync()]);
    expect(code.rowStart[8]).toBe(code.values.length);
    expect(code.values.every((value) => value > 0)).toBe(true);
    // By the definition, on s·x, with unfolded parameters: f/s are the code's values.
    const s = manifest.scale;
    const { wEnc, bEnc, bDec, threshold } = autoencoder;
    const xs = x.arraySync().map((row) => row.map((v) => v * s));
    xs.forEach((row, b) => {
      const dense = new Float64Array(24);
      for (let e = code.rowStart[b]; e < code.rowStart[b + 1]; e++)
        dense[code.indices[e]] = code.values[e] * s;
      let positive = 0;
      for (let i = 0; i < 24; i++) {
        let z = bEnc[i] * s;
        for (let j = 0; j < 8; j++)
          z += wEnc[i * 8 + j] * (row[j] - (architecture === 'jumprelu' ? 0 : bDec[j] * s));
        if (z > 1e-4 + (threshold ? threshold[i] * s : 0)) positive++;
        if (dense[i] > 0) expect(dense[i]).toBeCloseTo(z, 3);
      }
      const count = code.rowStart[b + 1] - code.rowStart[b];
      const { fires } = describedArchitecture(architecture).inference;
      if (fires === 'largest') expect(count).toBe(Math.min(3, positive));
      else expect(Math.abs(count - positive)).toBeLessThanOrEqual(1);
    });
    autoencoder.dispose();
  });
});

test('a damaged newest checkpoint is passed over for the one before it', async () => {
  const name = 'damaged';
  await expect(train({ ...options(name, 'topk', { logEvery: 1 }), ...stopAt(45) })).rejects.toThrow(
    'stopped',
  );
  const found = await readdir(store.runCheckpoints(name));
  expect(found.sort()).toEqual(['step-40.safetensors', 'step-45.safetensors']);
  await truncate(join(store.runCheckpoints(name), 'step-45.safetensors'), 1000);
  await train({ ...options(name, 'topk', { logEvery: 1 }), resume: true });
  expect((await loadAutoencoder(store, name, 3)).wDec).toEqual(
    (await loadAutoencoder(store, 'topk-whole', 3)).wDec,
  );
  expect(
    (await readMetrics(store.runMetrics(name))).map((r) => r.step).filter((_, i) => i % 2 === 0),
  ).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
});

test('a taken name, another configuration on resume and nothing to resume are refused', async () => {
  await expect(train(options('topk-whole', 'topk'))).rejects.toMatchObject({ code: 'conflict' });
  const other = { ...options('topk-whole', 'topk', { learningRate: 0.5 }), resume: true };
  await expect(train(other)).rejects.toThrow(/learningRate/);
  await expect(train({ ...options('absent', 'topk'), resume: true })).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(existsSync(store.run('absent'))).toBe(false);
});

test('a missing capture or hook leaves nothing behind', async () => {
  await expect(train(options('nothing', 'topk', { capture: 'none' }))).rejects.toMatchObject({
    code: 'not_found',
  });
  await expect(train(options('nothing', 'topk', { hook: 'hook_embed' }))).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(existsSync(store.run('nothing'))).toBe(false);
});

test('a second trainer on the same run fails and leaves everything alone', async () => {
  const name = 'busy';
  let second: Promise<unknown> | undefined;
  await train({
    ...options(name, 'topk'),
    report: ({ done }) => {
      if (done >= 14) second ??= train({ ...options(name, 'topk'), resume: true }).catch((error) => error);
    },
  });
  expect(await second).toMatchObject({ code: 'conflict', message: expect.stringContaining('in use') });
  expect((await loadAutoencoder(store, name, 3)).wDec).toEqual(
    (await loadAutoencoder(store, 'topk-whole', 3)).wDec,
  );
});

test('a trainer that was killed leaves a run that resumes', async () => {
  const name = 'killed';
  await expect(train({ ...options(name, 'topk'), ...stopAt(28) })).rejects.toThrow('stopped');
  // What a killed process leaves: a lock whose holder is gone, a manifest that still says `training`.
  const child = spawn('sleep', ['60']);
  const pid = child.pid ?? 0;
  child.kill('SIGKILL');
  await new Promise((done) => child.on('exit', done));
  const { hostname } = await import('node:os');
  const holder = { pid, host: hostname(), processStart: null, what: 'x', since: 'then', token: 'x' };
  await writeFile(join(store.run(name), '.lock'), JSON.stringify(holder));
  const manifest = JSON.parse(readFileSync(store.runManifest(name), 'utf8'));
  await writeFile(store.runManifest(name), JSON.stringify({ ...manifest, status: 'training' }));
  await train({ ...options(name, 'topk'), resume: true });
  expect((await loadAutoencoder(store, name, 3)).wDec).toEqual(
    (await loadAutoencoder(store, 'topk-whole', 3)).wDec,
  );
});

test.skipIf(!existsSync('/dev/full'))(
  'a full disk is reported as such, with nothing half-written',
  async () => {
    const name = 'full';
    mkdirSync(store.run(name), { recursive: true });
    symlinkSync('/dev/full', store.runMetrics(name));
    await expect(train(options(name, 'topk'))).rejects.toMatchObject({ code: 'no_space' });
    expect(await readdir(store.run(name))).toEqual([]);
    // Nothing is in the way of the next attempt.
    await rm(store.run(name), { recursive: true });
    await train(options(name, 'topk', { tokens: 2_000 }));
    expect(JSON.parse(readFileSync(store.runManifest(name), 'utf8')).status).toBe('complete');
  },
);

test('a learning rate that makes the loss overflow stops with a clear error', async () => {
  const run = train(options('diverging', 'relu', { learningRate: 1e25, clipNorm: null, warmupSteps: 0 }));
  await expect(run).rejects.toThrow(/diverged at step \d+ of seed 3: the loss is .*learningRate/);
  expect(JSON.parse(readFileSync(store.runManifest('diverging'), 'utf8')).status).toBe('interrupted');
});

test('logs of other tools go on where a run is resumed, and hold what its metrics do', async () => {
  const given = options('logged', 'relu');
  const stopped = train({ ...given, ...stopAt(28), logs: logKinds });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  const { createdAt } = await train({ ...given, resume: true });
  const rows = await readMetrics(store.runMetrics('logged'));
  for (const kind of logKinds) {
    const to = join(store.root, `logged-${kind}`);
    await exportMetrics(to, kind, { createdAt, seeds: [3, 5] }, rows);
    for (const seed of [3, 5]) {
      const [log, exported] = [store.runLog('logged', kind), to].map((folder) =>
        readFileSync(logFile(folder, kind, { createdAt, seeds: [3, 5] }, seed)),
      );
      expect(log.equals(exported)).toBe(true);
    }
  }
  const history = readFileSync(join(store.runLog('logged', 'wandb'), 'seed-5/wandb-history.jsonl'), 'utf8');
  expect(history.trimEnd().split('\n').map((line) => JSON.parse(line)['_step'])).toEqual([7, 14, 21, 28, 35, 42, 49, 50]); // prettier-ignore
});
