/** Jobs in parts, which real workers take from a real Redis: one job for whoever looks, and the bytes of one machine. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import type { Job } from '../../server/client.ts';
import { hasRedis, startRedis, type RedisServer } from '../../server/fixtures/redisServer.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { differences, finalBytes } from '../chaos/finalBytes.ts';
import { startWorker, type WorkerProcess } from './workerProcess.ts';

if (!hasRedis) console.warn('SKIPPED: redis-server is not installed, so jobs in parts are not tested.');
vi.setConfig({ testTimeout: 400_000, hookTimeout: 240_000 });

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
let redis: RedisServer;
let on: TestServer;
let alone: StoreLayout;
const workers: WorkerProcess[] = [];
beforeAll(async () => {
  if (!hasRedis) return;
  redis = await startRedis();
  on = await startTestServer({ queue: { address: redis.address } });
  alone = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-alone-')));
  // Without what is the server's own.
  for (const name of ['models', 'captures', 'runs'])
    await cp(join(on.store.root, name), join(alone.root, name), { recursive: true, force: true });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.end('SIGKILL')));
});
afterAll(async () => {
  await on?.stop();
  await redis?.stop();
  if (alone) await rm(alone.root, { recursive: true });
});

function worker(): WorkerProcess {
  const started = startWorker([`--queue=${redis.address}`, `--data=${on.store.root}`, '--lease=2']);
  workers.push(started);
  return started;
}
const lazyscope = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};
const job = (id: string) => on.client.jobs.get.query({ id });
const ended = (id: string) =>
  vi.waitUntil(async () => ((await job(id)).finishedAt === null ? undefined : job(id)), {
    timeout: 200_000,
    interval: 100,
  });
const captureJob = (name: string, maxTokens: number, parts: number): JobStartInput => ({
  kind: 'capture',
  options: {
    model: 'fixture-relu',
    text: 'dataset:moby-dick',
    hooks: ['blocks.0.hook_resid_post'],
    name,
    contextLength: 32,
    maxTokens,
    shardBytes: 200_000,
  },
  parts,
});

describe.skipIf(!hasRedis)('a job in parts', () => {
  test('is one job, whose progress is that of its parts; its bytes are those of one machine', async () => {
    const args = ['--model=fixture-relu', '--text=dataset:moby-dick', '--hook=blocks.0.hook_resid_post', '--name=split', '--context-length=32', '--max-tokens=40000', '--shard-bytes=200000']; // prettier-ignore
    expect(lazyscope('capture', ...args, `--data=${alone.root}`)).toMatchObject({ status: 0 });
    const shares: number[] = [];
    const seen: Job[] = [];
    const { id } = await on.client.jobs.start.mutate(captureJob('split', 40_000, 3));
    const watching = on.client.jobs.watch.subscribe(
      {},
      {
        onData: ({ data }) => {
          seen.push(data.job);
          if (data.job.progress?.unit === 'parts') shares.push(data.job.progress.done);
        },
      },
    );
    for (let count = 0; count < 2; count++) worker();
    const done = await ended(id);
    watching.unsubscribe();
    expect(done).toMatchObject({ status: 'done', exitCode: 0, error: null, result: { name: 'split' } });
    expect(done.command).toMatch(/^lazyscope capture --model=fixture-relu .*--shard-bytes=200000$/);
    expect(done.parts?.map(({ status }) => status)).toEqual(['done', 'done', 'done', 'done']);
    expect(new Set(done.parts?.map((part) => part.worker)).size).toBe(2);
    // Nobody sees a part as a job of its own.
    expect(new Set(seen.map((one) => one.id))).toEqual(new Set([id]));
    expect((await on.client.jobs.list.query()).filter(({ kind }) => kind === 'capture')).toHaveLength(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.some((share) => share > 0 && share < 3)).toBe(true);
    const [made, expected] = await Promise.all([on.store, alone].map((store) => finalBytes(store.capture('split')))); // prettier-ignore
    expect(expected.size).toBeGreaterThan(10);
    expect(differences(made, expected)).toEqual([]);
    expect(existsSync(on.store.parts())).toBe(false);
    // Another server on the same folder and Redis finds it as one job, too.
    await on.restart();
    expect((await job(id)).parts).toEqual(done.parts);
    expect((await on.client.jobs.list.query()).filter(({ kind }) => kind === 'capture')).toHaveLength(1);
  });

  test('whose workers are killed while they make it ends in the same bytes', async () => {
    const args = ['train', '--architecture=topk', '--capture=fixture', '--name=wide', '--width=1500', '--k=4', '--seeds=0,1', '--tokens=3200', '--batch-size=64']; // prettier-ignore
    expect(lazyscope(...args, `--data=${alone.root}`)).toMatchObject({ status: 0 });
    await cp(alone.run('wide'), on.store.run('wide'), { recursive: true });
    expect(lazyscope('index', 'wide', `--data=${alone.root}`)).toMatchObject({ status: 0 });
    expect(lazyscope('compare', 'wide', `--data=${alone.root}`)).toMatchObject({ status: 0 });
    worker();
    const [index, compare] = [
      await on.client.jobs.start.mutate({ kind: 'index', options: { run: 'wide' }, parts: 3 }),
      await on.client.jobs.start.mutate({
        kind: 'compare',
        options: { a: { run: 'wide', seed: 0 }, b: { run: 'wide', seed: 1 }, name: 'wide-0-1' },
        parts: 2,
      }),
    ];
    for (const { id } of [index, compare]) {
      await vi.waitUntil(async () => (await job(id)).parts?.some(({ status }) => status === 'running'), {
        timeout: 100_000,
        interval: 20,
      });
      await workers.at(-1)?.end('SIGKILL');
      worker();
      expect(await ended(id)).toMatchObject({ status: 'done', error: null });
    }
    const given = [...((await job(index.id)).parts ?? []), ...((await job(compare.id)).parts ?? [])];
    expect(Math.max(...given.map(({ attempt }) => attempt ?? 0))).toBeGreaterThan(1);
    const of = async ({ runs, comparisons }: { runs: string; comparisons: string }) =>
      new Map([...(await finalBytes(runs)), ...(await finalBytes(comparisons))]);
    const folders = (store: StoreLayout) => ({ runs: store.run('wide'), comparisons: store.comparison('wide-0-1') }); // prettier-ignore
    const [made, expected] = await Promise.all([on.store, alone].map((store) => of(folders(store))));
    expect(expected.size).toBeGreaterThan(12);
    expect(differences(made, expected)).toEqual([]);
  });

  test('is cancelled with all of its parts, and goes on from what they have made', async () => {
    worker();
    const { id } = await on.client.jobs.start.mutate(captureJob('cancelled', 120_000, 3));
    await vi.waitUntil(async () => ((await job(id)).progress?.done ?? 0) > 0.1, { timeout: 100_000, interval: 50 }); // prettier-ignore
    await on.client.jobs.cancel.mutate({ id });
    const stopped = await ended(id);
    expect(stopped.status).toBe('cancelled');
    await vi.waitUntil(
      async () => (await job(id)).parts?.every(({ status }) => status === 'cancelled' || status === 'done'),
      { timeout: 30_000, interval: 100 },
    );
    expect(existsSync(on.store.captureManifest('cancelled'))).toBe(false);
    expect(existsSync(on.store.parts())).toBe(true);
    await expect(on.client.jobs.cancel.mutate({ id })).rejects.toThrow(/is cancelled/);
    const again = await on.client.jobs.start.mutate(captureJob('cancelled', 120_000, 2));
    expect(await ended(again.id)).toMatchObject({ status: 'done', error: null });
    expect(existsSync(on.store.parts())).toBe(false);
  });

  test('that can’t be made says why, once', async () => {
    worker();
    const { id } = await on.client.jobs.start.mutate({ kind: 'index', options: { run: 'none' }, parts: 2 });
    expect(await ended(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/no run 'none'/) }); // prettier-ignore
  });
});

describe.skipIf(!hasRedis)('the workers', () => {
  const listed = () => lazyscope('workers', `--queue=${redis.address}`, `--data=${on.store.root}`);

  test('are listed with what each has and does, and the one that is killed as gone', async () => {
    expect(listed().stdout).not.toContain('s ago  ');
    const first = worker();
    const { id } = await on.client.jobs.start.mutate(captureJob('long', 400_000, 2));
    await vi.waitUntil(async () => (await job(id)).status === 'running', { timeout: 60_000, interval: 50 });
    const own = await vi.waitUntil(
      async () => {
        const all = await on.client.jobs.workers.query();
        return all?.find(({ name, jobs }) => name.endsWith(`/${first.child.pid}`) && jobs.length > 0);
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(own).toMatchObject({ gone: false, concurrency: 1, gpu: 0, jobs: [{ part: '1/2', job: { id, kind: 'capture' } }] }); // prettier-ignore
    expect(own.threads).toBeGreaterThan(0);
    expect(Date.now() - Date.parse(own.heardAt)).toBeLessThan(10_000);
    const { status, stdout } = listed();
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`${own.name} +capture 1/2 long +1 `));
    const { workers: document } = JSON.parse(
      lazyscope('workers', `--queue=${redis.address}`, `--data=${on.store.root}`, '--json').stdout,
    ) as { workers: { name: string }[] };
    expect(document.map(({ name }) => name)).toContain(own.name);
    await first.end('SIGKILL');
    await vi.waitUntil(
      async () => (await on.client.jobs.workers.query())?.find(({ name }) => name === own.name)?.gone,
      { timeout: 30_000, interval: 200 },
    );
    expect(listed().stdout).toMatch(new RegExp(`${own.name} +is gone`));
    await on.client.jobs.cancel.mutate({ id });
  });

  test('of a folder without a queue are not asked for', () => {
    expect(lazyscope('workers', `--queue=${redis.address}`, `--data=${alone.root}`)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/is not the data folder of a queue/),
    });
  });
});

describe.skipIf(!hasRedis)('commands with --parts', () => {
  test('wait for their jobs and print what they print on one machine', async () => {
    for (let count = 0; count < 2; count++) worker();
    const queue = [`--queue=${redis.address}`, `--data=${on.store.root}`];
    const indexed = lazyscope('index', 'fixture-topk', 'fixture-relu', '--seeds=0', '--parts=2', ...queue, '--json'); // prettier-ignore
    expect(indexed.status, indexed.stderr).toBe(0);
    expect(JSON.parse(indexed.stdout).indexed.map(({ run }: { run: string }) => run)).toEqual(['fixture-topk', 'fixture-relu']); // prettier-ignore
    const compared = lazyscope('compare', 'fixture-topk', '--parts=2', ...queue);
    expect(compared.status, compared.stderr).toBe(0);
    expect(compared.stdout.trim().split('\n')).toHaveLength(4);
    expect(compared.stderr).toMatch(/3 jobs put into the queue/);
  });

  test('refuse what would have no effect', () => {
    const queue = `--queue=${redis.address}`;
    const data = `--data=${on.store.root}`;
    const refusals: [string[], RegExp][] = [
      [['index', 'fixture-topk', '--parts=2'], /--parts goes with --queue or --launcher/],
      [['index', 'fixture-topk', '--part=3/2'], /--part takes n\/N/],
      [['index', 'fixture-topk', '--part=1/2', queue], /--part is for this machine alone/],
      [['index', 'fixture-topk', '--search-only', '--parts=2', queue], /--search-only has no parts/],
      [['index', 'fixture-topk', '--search-only', '--part=1/2'], /--search-only has no parts/],
      [['compare', 'fixture-topk', '--no-chance', queue], /--no-chance is for this machine alone/],
      [['compare', 'fixture-topk', '--threads=1', queue], /--threads is said where the jobs run/],
      [
        ['capture', '--model=/tmp/model', '--text=dataset:moby-dick', '--hook=x', queue],
        /The job is not one/,
      ],
      [['capture', '--from=a.npy', '--hook=x', queue], /Nothing to capture: give --model and --text/],
    ];
    for (const [args, message] of refusals)
      expect(lazyscope(...args, data)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) });
  });
});

test('a server without workers refuses parts', async () => {
  const here = await startTestServer();
  try {
    await expect(here.client.jobs.start.mutate(captureJob('x', 4096, 2))).rejects.toThrow(
      /Parts are for workers and Slurm/,
    );
    await expect(
      here.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'fixture-topk' }, parts: 2 }),
    ).rejects.toThrow(/parts/);
    expect(await here.client.jobs.workers.query()).toBe(null);
    expect(await here.client.jobs.where.query()).toBe('here');
  } finally {
    await here.stop();
  }
});
