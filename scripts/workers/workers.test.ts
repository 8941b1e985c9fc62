/** Jobs of a real server that real workers take from a real Redis. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { hasRedis, startRedis, type RedisServer } from '../../server/fixtures/redisServer.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { makeQueueId } from '../../server/workers/queueId.ts';
import { differences, finalBytes } from '../chaos/finalBytes.ts';
import { startWorker, type WorkerProcess } from './workerProcess.ts';

if (!hasRedis) console.warn('SKIPPED: redis-server is not installed, so workers are not tested.');
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
let redis: RedisServer;
let on: TestServer;
const workers: WorkerProcess[] = [];
beforeAll(async () => {
  if (!hasRedis) return;
  redis = await startRedis();
  on = await startTestServer({ queue: { address: redis.address } });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.end('SIGKILL')));
});
afterAll(async () => {
  await on?.stop();
  await redis?.stop();
});

/** A worker on the server's data folder, with leases of two seconds. */
function worker(...args: string[]): WorkerProcess {
  const started = startWorker([`--queue=${redis.address}`, `--data=${on.store.root}`, '--lease=2', ...args]);
  workers.push(started);
  return started;
}

const job = (id: string) => on.client.jobs.get.query({ id });
const ended = (id: string) =>
  vi.waitUntil(async () => ((await job(id)).finishedAt === null ? undefined : job(id)), {
    timeout: 120_000,
    interval: 100,
  });
const until = (id: string, satisfied: (now: Awaited<ReturnType<typeof job>>) => boolean) =>
  vi.waitUntil(async () => satisfied(await job(id)), { timeout: 60_000, interval: 50 });
const training = (name: string, tokens = 60_000): JobStartInput => ({
  kind: 'train',
  options: { architecture: 'topk', capture: 'fixture', name, width: 128, k: 4, tokens, batchSize: 64, seeds: [0, 1], checkpointEvery: 50 },
}); // prettier-ignore

describe.skipIf(!hasRedis)('a job that a worker runs', () => {
  test('tells its progress, its lines and its result, and who ran it', async () => {
    const { id } = await on.client.jobs.start.mutate(training('first'));
    expect((await job(id)).status).toBe('queued');
    const seen: string[] = [];
    const watching = on.client.jobs.watch.subscribe({ id }, { onData: ({ data }) => seen.push(data.type) });
    const { child } = worker();
    const done = await ended(id);
    watching.unsubscribe();
    expect(done).toMatchObject({ status: 'done', exitCode: 0, error: null, attempt: 1 });
    expect(done.worker).toMatch(new RegExp(`/${child.pid}$`));
    expect(done.result).toMatchObject({ runs: [{ name: 'first', status: 'complete' }] });
    expect(seen).toContain('progress');
    expect(new Set(seen)).toContain('status');
    // Another server on the same folder and Redis finds it.
    await on.restart();
    expect(await job(id)).toMatchObject({ status: 'done', worker: done.worker, result: done.result });
  });

  test('waits for another that makes what it reads, though workers are idle', async () => {
    const first = await on.client.jobs.start.mutate(training('indexed'));
    const second = await on.client.jobs.start.mutate({ kind: 'index', options: { run: 'indexed' } });
    worker();
    worker();
    expect(await ended(second.id)).toMatchObject({ status: 'done', error: null });
    const made = await job(first.id);
    expect(made.status).toBe('done');
    const begun = (await job(second.id)).startedAt ?? '';
    expect(begun >= (made.finishedAt ?? '~')).toBe(true);
  });

  test('that fails says why, and is not tried again', async () => {
    worker();
    const { id } = await on.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'nothing' } });
    const failed = await ended(id);
    expect(failed).toMatchObject({ status: 'failed', exitCode: 2, attempt: 1 });
    expect(failed.error).toMatch(/There is no run 'nothing'/);
  });

  test('is cancelled within seconds, waiting or running, and keeps its checkpoint', async () => {
    const waiting = await on.client.jobs.start.mutate(training('never'));
    expect((await on.client.jobs.cancel.mutate({ id: waiting.id })).status).toBe('cancelled');
    worker();
    const long = await on.client.jobs.start.mutate(training('long', 50_000_000));
    await until(long.id, ({ progress }) => (progress?.done ?? 0) > 0);
    const asked = performance.now();
    await on.client.jobs.cancel.mutate({ id: long.id });
    expect(await ended(long.id)).toMatchObject({ status: 'cancelled', exitCode: 130, error: null });
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(existsSync(on.store.runCheckpoints('long'))).toBe(true);
    expect(await job(waiting.id)).toMatchObject({ status: 'cancelled', startedAt: null });
    await expect(on.client.jobs.cancel.mutate({ id: long.id })).rejects.toThrow(/is cancelled/);
  });

  test('whose worker is killed goes on elsewhere from its last checkpoint, to the same bytes', async () => {
    const alone = await mkdtemp(join(tmpdir(), 'lazyscope-alone-'));
    await cp(on.store.captures(), new StoreLayout(alone).captures(), { recursive: true });
    const args = ['train', '--architecture=topk', '--capture=fixture', '--name=killed', '--width=128', '--k=4', '--tokens=200000', '--batch-size=64', '--seeds=0,1', '--checkpoint-every=50']; // prettier-ignore
    const { status } = spawnSync(process.execPath, [script, ...args, `--data=${alone}`]);
    expect(status).toBe(0);
    const { id } = await on.client.jobs.start.mutate(training('killed', 200_000));
    const first = worker();
    await until(id, ({ progress }) => (progress?.done ?? 0) > 200);
    await first.end('SIGKILL');
    worker();
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'done', error: null });
    expect(done.attempt).toBeGreaterThan(1);
    const [made, expected] = await Promise.all(
      [on.store, new StoreLayout(alone)].map((store) => finalBytes(store.run('killed'))),
    );
    expect(expected.size).toBeGreaterThan(3);
    expect(differences(made, expected)).toEqual([]);
    await rm(alone, { recursive: true });
  });

  test('goes back into the queue when its worker is stopped', async () => {
    const first = worker();
    const { id } = await on.client.jobs.start.mutate(training('given-back', 200_000));
    await until(id, ({ progress }) => (progress?.done ?? 0) > 100);
    expect(await first.end('SIGTERM')).toBe(0);
    await until(id, ({ status }) => status === 'queued');
    worker();
    expect(await ended(id)).toMatchObject({ status: 'done', attempt: 2 });
  });

  test('survives a Redis that is killed and comes back', async () => {
    worker();
    const { id } = await on.client.jobs.start.mutate(training('without-redis', 200_000));
    await until(id, ({ progress }) => (progress?.done ?? 0) > 100);
    await redis.kill();
    await expect(on.client.jobs.start.mutate(training('refused'))).rejects.toThrow(/does not answer/);
    // Once it is known, nobody waits for it: pages ask for the workers together with what they show.
    const since = performance.now();
    for (let times = 0; times < 3; times++)
      await expect(on.client.jobs.workers.query()).rejects.toThrow(/does not answer/);
    expect(performance.now() - since).toBeLessThan(4_000);
    const readiness = async () => {
      const answer = await fetch(`${on.server.url}/readyz`);
      return [answer.status, await answer.text()];
    };
    expect(await readiness()).toEqual([503, 'the queue of jobs does not answer\n']);
    expect((await fetch(`${on.server.url}/healthz`)).status).toBe(200);
    await redis.start();
    await vi.waitFor(async () => expect(await readiness()).toEqual([200, 'ready\n']), { timeout: 30_000 });
    expect(await ended(id)).toMatchObject({ status: 'done', error: null });
    expect(on.log.filter((line) => /is gone; it is tried again/.test(line))).toHaveLength(1);
  });
});

describe.skipIf(!hasRedis)('a sweep on workers', () => {
  const sweep = `
capture: fixture
tokens: 6400
architectures: [topk, jumprelu]
hooks: [blocks.0.hook_resid_post]
widths: [64]
k: [4, 8]
targetL0: [5]
seeds: [0, 1]
decoderStarts: [random, pca]
settings: { batchSize: 64, learningRate: 0.0007, warmupSteps: 7, decayFraction: 0.3, deadAfter: 999, checkpointEvery: 40, logEvery: 9 }
`;
  const lazyscope = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  test('is a job a run, with every setting of the file, and makes the bytes that one machine makes', async () => {
    const folders = await Promise.all(['alone', 'workers'].map((name) => mkdtemp(join(tmpdir(), `lazyscope-${name}-`)))); // prettier-ignore
    const [alone, shared] = folders.map((folder) => new StoreLayout(folder));
    for (const store of [alone, shared]) await cp(on.store.captures(), store.captures(), { recursive: true });
    const file = join(shared.root, 'sweep.yaml');
    await writeFile(file, sweep);
    expect(lazyscope('train', file, `--data=${alone.root}`)).toMatchObject({ status: 0 });
    await makeQueueId(shared);
    for (let count = 0; count < 2; count++)
      workers.push(startWorker([`--queue=${redis.address}`, `--data=${shared.root}`]));
    const done = lazyscope('train', file, `--data=${shared.root}`, `--queue=${redis.address}`, '--json');
    expect(done.status, done.stderr).toBe(0);
    const { runs, jobs } = JSON.parse(done.stdout) as {
      runs: { name: string }[];
      jobs: { worker: string }[];
    };
    expect(runs).toHaveLength(6);
    expect(new Set(jobs.map((one) => one.worker)).size).toBe(2);
    const [expected, made] = await Promise.all([alone, shared].map((store) => finalBytes(store.runs())));
    expect(expected.size).toBeGreaterThan(6 * 3);
    expect(differences(made, expected)).toEqual([]);
    // Again it is refused before there is a job, and with --resume it finds all of it done.
    const again = lazyscope('train', file, `--data=${shared.root}`, `--queue=${redis.address}`);
    expect(again).toMatchObject({ status: 2, stderr: expect.stringMatching(/exists: go on with --resume/) });
    expect(lazyscope('train', file, `--data=${shared.root}`, `--queue=${redis.address}`, '--resume').status).toBe(0); // prettier-ignore
    await Promise.all(workers.splice(0).map((one) => one.end('SIGTERM')));
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
  });

  test('refuses what would have no effect', () => {
    const call = [
      'train',
      '--architecture=topk',
      '--capture=fixture',
      '--k=4',
      '--name=x',
      `--data=${on.store.root}`,
    ];
    const queue = `--queue=${redis.address}`;
    const refusals: [string[], RegExp][] = [
      [['--priority=3'], /--priority goes with --queue/],
      [['--resources=gpu=1'], /--resources goes with --queue or/],
      [[queue, '--tensorboard'], /--tensorboard is for this machine alone/],
      [[queue, '--storage=f16'], /--storage is for this machine alone/],
      [[queue, '--threads=1'], /--threads is said where the jobs run/],
      [[queue, '--resources=tpu=1'], /'tpu=1' is no resource/],
      [['--queue=http://somewhere'], /--queue takes the address of a Redis/],
      [['--queue=redis://127.0.0.1:1'], /No Redis answers at redis:\/\/127\.0\.0\.1:1\/0/],
    ];
    for (const [added, message] of refusals)
      expect(lazyscope(...call, ...added)).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(message),
      });
  });

  test('takes workers with what its jobs need, and the first by priority', async () => {
    const call = (name: string, ...added: string[]) => [
      'train', '--architecture=topk', '--capture=fixture', '--k=4', '--tokens=6400', `--name=${name}`, `--data=${on.store.root}`, `--queue=${redis.address}`, ...added,
    ]; // prettier-ignore
    const { spawn } = await import('node:child_process');
    const waiting = [
      call('needs-gpu', '--resources=gpu=1,memory=1GB', '--priority=1'),
      call('last', '--priority=900'),
      call('earlier', '--priority=5'),
    ].map((args) => spawn(process.execPath, [script, ...args], { stdio: 'ignore' }));
    const closed = waiting.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    const named = async () => {
      const list = await on.client.jobs.list.query();
      return (name: string) => list.find(({ subject }) => subject?.name === name);
    };
    await vi.waitUntil(async () => ['needs-gpu', 'last', 'earlier'].every((await named())), { timeout: 60_000, interval: 200 }); // prettier-ignore
    worker('--resources=memory=4GB');
    expect(await Promise.all(closed.slice(1))).toEqual([0, 0]);
    const find = await named();
    expect(find('needs-gpu')?.status).toBe('queued');
    expect((find('earlier')?.finishedAt ?? '~') <= (find('last')?.startedAt ?? '')).toBe(true);
    worker('--resources=gpu=1,memory=500MB');
    await sleep(2_000);
    expect((await named())('needs-gpu')?.status).toBe('queued');
    worker('--resources=gpu=1,memory=2GB');
    expect(await closed[0]).toBe(0);
  });
});

describe.skipIf(!hasRedis)('whoever can write to Redis', () => {
  test('gets no path past a worker: a job is parsed as the API parses it', async () => {
    const id = (await makeQueueId(on.store)).trim();
    const queue = new Queue('gpu0-memory0', {
      connection: { host: '127.0.0.1', port: redis.port },
      prefix: `lazyscope:{${id}}`,
    });
    const evil = [
      { kind: 'evaluate', options: { run: '../../elsewhere' } },
      { kind: 'capture', options: { model: '/etc', text: 'dataset:moby-dick', hooks: ['x'], name: 'c' } },
      { kind: 'capture', options: { model: 'fixture-relu', text: '/etc/passwd', hooks: ['x'], name: 'c' } },
      { kind: 'export', options: { dictionary: { run: 'fixture-topk', seed: 0 }, to: '/tmp/out', format: 'saelens' } },
      { kind: 'serve', options: {} },
    ]; // prettier-ignore
    const jobs = await Promise.all(
      evil.map((input) =>
        queue.add('x', { version: 1, input, createdAt: new Date().toISOString(), after: [] }),
      ),
    );
    worker();
    for (const one of jobs)
      await vi.waitUntil(async () => (await one.getState()) === 'failed', { timeout: 60_000, interval: 100 });
    const reasons = await Promise.all(
      jobs.map(async (one) => (await queue.getJob(one.id ?? ''))?.failedReason),
    );
    for (const reason of reasons) expect(reason).toMatch(/The worker refused this job/);
    await queue.close();
  });

  test('needs the password, which no line shows', async () => {
    const guarded = await startRedis('opensesame');
    try {
      const at = `127.0.0.1:${guarded.port}`;
      const call = ['worker', `--data=${on.store.root}`];
      const run = (address: string, env = {}) =>
        spawnSync(process.execPath, [script, ...call, `--queue=${address}`], {
          encoding: 'utf8',
          timeout: 8_000,
          env: { ...process.env, ...env },
        });
      for (const address of [`redis://${at}`, `redis://:hunter22@${at}`]) {
        const refused = run(address);
        expect(refused.status).toBe(2);
        expect(refused.stderr).toMatch(/refuses the user or password/);
        expect(refused.stderr).not.toMatch(/hunter22/);
      }
      for (const said of [
        run(`redis://:opensesame@${at}`).stderr,
        run(`redis://${at}`, { LAZYSCOPE_QUEUE_PASSWORD: 'opensesame' }).stderr,
      ]) {
        expect(said).toContain(`from redis://${at}/0`);
        expect(said).not.toContain('opensesame');
      }
    } finally {
      await guarded.stop();
    }
  });
});

test('what speaks to Redis is loaded only where a command has --queue', () => {
  const hook = `export async function resolve(s, c, n) { if (/^(bullmq|ioredis)$/.test(s)) throw new Error('loaded ' + s); return n(s, c); }`; // prettier-ignore
  const register = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));`; // prettier-ignore
  const refusing = `--import=data:text/javascript,${encodeURIComponent(register)}`;
  const run = (...args: string[]) => {
    const command = [refusing, script, ...args];
    return spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGTERM' });
  };
  expect(run('train', '--help').status).toBe(0);
  expect(run('jobs', 'list', '--data=nowhere')).toMatchObject({ status: 0, stdout: 'No jobs yet.\n' });
  expect(run('worker', '--queue=redis://127.0.0.1:1', '--data=nowhere').stderr).toContain('loaded ');
});
