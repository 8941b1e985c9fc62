/** What becomes of a job when its process, its server or somebody's patience ends. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runKind } from '../../sae/spec/manifests/run.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { createLazyscopeClient, type LazyscopeClient } from '../client.ts';
import { Database } from '../database.ts';
import { writeFixtureStore } from '../fixtures/writeFixtureStore.ts';
import { Commands } from './commands.ts';
import { JobLog } from './jobLog.ts';
import { JobQueue, type JobQueueOptions } from './jobQueue.ts';
import { thisMachine } from './machineShare.ts';
import { isRunning } from './orphans.ts';

vi.setConfig({ testTimeout: 180_000 });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const onMachine = { cores: 2, memory: 8e9, freeMemory: () => 8e9, gpu: () => false };

/** A queue whose jobs run this JavaScript instead of the command line. */
async function queueRunning(code: string, options: Partial<JobQueueOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-jobs-'));
  const database = await Database.open(join(folder, 'lazyscope.duckdb'));
  const commands = new Commands({
    program: [process.execPath, '-e', code, '--'],
    dataFolder: folder,
    log: () => {},
  });
  const open = () => JobQueue.open({ commands, database, log: () => {}, machine: onMachine, ...options });
  cleanups.push(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });
  return { queue: await open(), open, database };
}

const evaluate = (run = 'x') => ({ kind: 'evaluate', options: { run } }) as const;
const ended = (queue: JobQueue, id: string) =>
  vi.waitFor(() => expect(queue.get(id).finishedAt).not.toBeNull(), { timeout: 60_000, interval: 10 });
const saying = (queue: JobQueue, id: string, line: string) =>
  vi.waitFor(() => expect(queue.get(id).log).toContain(line), { timeout: 60_000, interval: 10 });

describe('a job whose process crashes', () => {
  test('says the last lines that it wrote, and by which signal it ended', async () => {
    const { queue } = await queueRunning(
      'console.error("lazyscope: computing on cpu"); console.error("token 7 of 9"); process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)',
    );
    const { id } = await queue.start(evaluate());
    await ended(queue, id);
    expect(queue.get(id)).toMatchObject({ status: 'failed', exitCode: 137 });
    expect(queue.get(id).error).toMatch(
      /^The command ended with SIGKILL, .*memory\. Its last lines:\nlazyscope: computing on cpu\ntoken 7 of 9$/,
    );
    await queue.close();
  });

  test('without a line for people says its exit code and its last lines', async () => {
    const { queue } = await queueRunning(
      'for (let i = 0; i < 900; i++) console.error("line", i); process.exitCode = 3',
    );
    const { id } = await queue.start(evaluate());
    await ended(queue, id);
    expect(queue.get(id).error).toBe(
      'The command ended with exit code 3. Its last lines:\nline 896\nline 897\nline 898\nline 899',
    );
    await queue.close();
  });
});

describe('cancelling', () => {
  const stubborn = 'process.on("SIGTERM", () => {}); console.error("here"); setInterval(() => {}, 1000)';

  test('kills within about a second what doesn’t stop and has no checkpoint', async () => {
    const { queue } = await queueRunning(stubborn);
    const { id } = await queue.start(evaluate());
    await saying(queue, id, 'here');
    const asked = performance.now();
    await queue.cancel(id);
    await ended(queue, id);
    expect(performance.now() - asked).toBeLessThan(3_000);
    expect(queue.get(id)).toMatchObject({ status: 'cancelled', error: expect.stringMatching(/was killed/) });
    await queue.close();
  });

  test('gives what has checkpoints longer, though not for ever', async () => {
    const { queue } = await queueRunning(stubborn, { patience: 2_500 });
    const { id } = await queue.start({ kind: 'train', options: { architecture: 'relu', capture: 'c' } });
    await saying(queue, id, 'here');
    const asked = performance.now();
    await queue.cancel(id);
    await ended(queue, id);
    expect(performance.now() - asked).toBeGreaterThan(2_000);
    expect(queue.get(id).status).toBe('cancelled');
    await queue.close();
  });

  test('a command that has not begun to listen is cancelled, not failed', async () => {
    const { queue } = await queueRunning('console.error("here"); setInterval(() => {}, 1000)');
    const { id } = await queue.start(evaluate());
    await saying(queue, id, 'here');
    await queue.cancel(id);
    await ended(queue, id);
    expect(queue.get(id)).toMatchObject({ status: 'cancelled', exitCode: 143, error: null });
    await queue.close();
  });
});

describe('the queue', () => {
  const slow = 'console.error("here"); setInterval(() => {}, 1000)';
  const status = (queue: JobQueue) => queue.list().map((job) => job.status);

  test('runs two jobs beside each other that fit, and the third when there is room, in order', async () => {
    const { queue } = await queueRunning(slow, { machine: { ...onMachine, threads: 1 } });
    const [first] = [
      await queue.start(evaluate('a')),
      await queue.start(evaluate('b')),
      await queue.start({ kind: 'map', options: { comparison: 'c' } }),
    ];
    expect(status(queue)).toEqual(['queued', 'running', 'running']);
    await queue.cancel(first.id);
    await ended(queue, first.id);
    await vi.waitFor(() => expect(status(queue)).toEqual(['running', 'running', 'cancelled']));
    await queue.close();
  });

  test('keeps nothing for watchers that have left, whenever they leave', async () => {
    const { queue } = await queueRunning('console.error("here")');
    const { id } = await queue.start(evaluate());
    await ended(queue, id);
    // The job has ended before the watching begins, and then it is left at its first event.
    for await (const [, event] of queue.watch({ id })) expect(event.job.status).toBe('failed');
    const left = queue.watch({});
    await left.next();
    expect(queue.watchers).toBe(1);
    await left.return(undefined);
    expect(queue.watchers).toBe(0);
    await queue.close();
  });

  test('keeps nothing for a watcher that takes nothing, however much is said, and shows it the present state when it takes again', async () => {
    const { queue } = await queueRunning(
      `for (let line = 0; line < 30_000; line++) console.error('line', line)`,
    );
    const [stalled, reading] = [queue.watch({}), queue.watch({})];
    const firsts = [stalled.next(), reading.next()];
    const { id } = await queue.start(evaluate());
    for (const { value } of await Promise.all(firsts)) expect(value?.[1].job.id).toBe(id);
    await ended(queue, id);
    // It was told of the start at the most; after that its place among the events is gone.
    const taken: string[] = [];
    const leaving = setTimeout(() => void reading.return(undefined), 3_000);
    for await (const [, { type, job }] of reading) {
      taken.push(type);
      if (job.finishedAt !== null) break;
    }
    clearTimeout(leaving);
    expect(taken.length).toBeLessThan(2_100);
    expect(taken.at(-1)).toMatch(/snapshot|status/);
    await stalled.return(undefined);
    expect(queue.watchers).toBe(0);
    await queue.close();
  });

  test('tells hundreds of watchers of progress less often, and of every stage', async () => {
    const { queue } = await queueRunning(
      `let done = 0; const say = (stage) => console.error(JSON.stringify({ progress: { stage, done: done++, total: 1e9, unit: 'x' } }));
       say('one'); const timer = setInterval(() => say('one'), 20);
       setTimeout(() => { clearInterval(timer); say('two'); }, 1000)`,
    );
    const leaving = Array.from({ length: 300 }, () => new AbortController());
    const many = leaving.map(({ signal }) => queue.watch({}, signal));
    const stages: (string | undefined)[] = [];
    const reading = many.map(async (watching, number) => {
      for await (const [, { type, job }] of watching)
        if (number === 0 && type === 'progress') stages.push(job.progress?.stage);
    });
    const { id } = await queue.start(evaluate());
    await ended(queue, id);
    for (const one of leaving) one.abort();
    await Promise.all(reading);
    // 50 were said in a second, and one in 600 ms is sent.
    expect(stages.length).toBeLessThan(10);
    expect(new Set(stages)).toEqual(new Set(['one', 'two']));
    expect(queue.watchers).toBe(0);
    await queue.close();
  });

  test('keeps the order of jobs on one run', async () => {
    const { queue } = await queueRunning(slow, { machine: { ...onMachine, threads: 1 } });
    await queue.start(evaluate('a'));
    await queue.start({ kind: 'index', options: { run: 'a' } });
    expect(status(queue)).toEqual(['queued', 'running']);
    await queue.close();
  });

  test('does not take a process that was given the number of a job’s for that job’s', async () => {
    const { queue, open, database } = await queueRunning(slow);
    const { id } = await queue.start(evaluate());
    await saying(queue, id, 'here');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    cleanups.push(() => stranger.kill('SIGKILL'));
    const records = new JobLog(database);
    const left = queue.get(id);
    await queue.close();
    await records.write({ ...left, status: 'running', finishedAt: null });
    await records.writeProcess(id, stranger.pid ?? 0);
    const next = await open();
    expect(next.get(id)).toMatchObject({
      status: 'lost',
      error: 'The server stopped while this job was running: start it again.',
    });
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    expect(await records.processes()).toEqual(new Map());
    await next.close();
  });
});

// Processes are found in /proc.
describe.skipIf(!existsSync('/proc/self/cmdline'))('a server that ends while a job trains', () => {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'lazyscope.mjs');
  let store: StoreLayout;
  beforeAll(async () => {
    store = await writeFixtureStore(await mkdtemp(join(tmpdir(), 'lazyscope-jobs-')));
  });
  afterAll(() => rm(store.root, { recursive: true, force: true }));
  // Each test has a run of its own.
  let name = '';
  beforeEach(({ task }) => {
    name = `run-${task.id.replaceAll(/\W/g, '-')}`;
  });

  /** `lazyscope serve` as a process, at the head of a group of its own, as a terminal would have it. */
  async function serving() {
    await rm(store.serverAddress(), { force: true });
    const args = [script, 'serve', '--port=0', '--no-explorer', `--data=${store.root}`];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    cleanups.push(() => child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const { url } = await vi.waitFor(
      async () => JSON.parse(await readFile(store.serverAddress(), 'utf8')) as { url: string },
      { timeout: 60_000, interval: 50 },
    );
    return { child, closed, client: createLazyscopeClient({ url }), said: () => said };
  }

  /** Starts the training and waits until it has done some steps; its process's number. */
  async function trainingOn(client: LazyscopeClient): Promise<{ id: string; pid: number }> {
    const { id } = await client.jobs.start.mutate({
      kind: 'train',
      options: {
        architecture: 'relu',
        capture: 'fixture',
        name,
        width: 256,
        tokens: 50_000_000,
        batchSize: 512,
      },
    });
    await vi.waitFor(
      async () =>
        expect((await client.jobs.get.query({ id })).progress?.done ?? 0, 'steps done').toBeGreaterThan(1),
      { timeout: 60_000, interval: 50 },
    );
    return { id, pid: await pidOfTraining() };
  }

  async function pidOfTraining(): Promise<number> {
    for (const pid of await readdir('/proc'))
      if (/^\d+$/.test(pid) && (await isRunning(Number(pid), [`--name=${name}`]))) return Number(pid);
    throw new Error('no process trains');
  }

  const keptCheckpoint = async () => {
    const manifest = await readManifest(store.runManifest(name), runKind);
    expect(manifest.status).toBe('interrupted');
    expect(manifest.step).toBeGreaterThan(0);
    expect(existsSync(store.runCheckpoints(name))).toBe(true);
  };

  test.each([
    ['shut down', (pid: number) => process.kill(pid, 'SIGTERM')],
    // A terminal sends SIGINT to the server and to its jobs alike.
    ['interrupted by Ctrl-C', (pid: number) => process.kill(-pid, 'SIGINT')],
  ])('%s, the training keeps a checkpoint and the job says so', async (_, end) => {
    const { child, closed, client } = await serving();
    const { id } = await trainingOn(client);
    end(child.pid ?? 0);
    await closed;
    await keptCheckpoint();
    const database = await Database.open(store.database());
    const [record] = await new JobLog(database).read();
    await database.close();
    expect(record).toMatchObject({ id, status: 'cancelled', exitCode: 130 });
    expect(record.error).toMatch(/was shut down .* start it again, going on from the last checkpoint/);
  });

  test('killed, the training notices and keeps a checkpoint; the next server calls the job lost', async () => {
    const first = await serving();
    const { id, pid } = await trainingOn(first.client);
    first.child.kill('SIGKILL');
    await first.closed;
    await vi.waitFor(async () => expect(await isRunning(pid, ['train'])).toBe(false), { timeout: 30_000 });
    await keptCheckpoint();
    const { client } = await serving();
    expect(await client.jobs.get.query({ id })).toMatchObject({
      status: 'lost',
      error: expect.stringMatching(/was running: start it again, going on/),
    });
  });

  test('killed, a process that hangs is found by the next server and ended before another job starts', async () => {
    const first = await serving();
    const { id, pid } = await trainingOn(first.client);
    process.kill(pid, 'SIGSTOP');
    cleanups.push(() => isRunning(pid, ['train']).then((still) => still && process.kill(pid, 'SIGKILL')));
    first.child.kill('SIGKILL');
    await first.closed;
    const second = await serving();
    expect(second.said()).toContain(`process ${pid} has outlived its server and is stopped`);
    expect((await second.client.jobs.get.query({ id })).error).toContain(`its process ${pid}, which had gone on alone, was stopped`); // prettier-ignore
    const next = await second.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'nothing' } });
    expect(next.status).toBe('queued');
    // It stops as soon as it is woken, and then the next job runs.
    process.kill(pid, 'SIGCONT');
    await vi.waitFor(
      async () => expect((await second.client.jobs.get.query({ id: next.id })).status).toBe('failed'),
      { timeout: 60_000, interval: 50 },
    );
    expect(await isRunning(pid, ['train'])).toBe(false);
    await keptCheckpoint();
  });
});

test('a machine has at least one core for jobs', () => {
  expect(thisMachine({ gpu: () => false }).cores).toBe(availableParallelism());
});
