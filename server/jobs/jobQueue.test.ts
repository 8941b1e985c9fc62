/** Jobs of a real server, run by the real command line on the fixture store. */
import { rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Database } from '../database.ts';
import type { Job, JobEvent, JobStatus } from '../client.ts';
import type { JobDetail } from '../contract/jobs.ts';
import { startTestServer } from '../testServer.ts';
import type { TestServer } from '../testServer.ts';
import { JobLog } from './jobLog.ts';

// Jobs are processes, on machines that may be busy with other tests.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(async () => {
  await on?.stop();
});

interface Received extends JobEvent {
  id: string;
}

/** Events of a job until one satisfies `until`. */
function follow(id: string, until: (event: JobEvent) => boolean, lastEventId?: string): Promise<Received[]> {
  return new Promise((resolve, reject) => {
    const received: Received[] = [];
    const watching = on.client.jobs.watch.subscribe(
      { id, lastEventId },
      {
        onData: ({ id: eventId, data }) => {
          received.push({ ...data, id: eventId });
          if (!until(data)) return;
          watching.unsubscribe();
          resolve(received);
        },
        onError: reject,
      },
    );
  });
}

const ended: readonly JobStatus[] = ['done', 'failed', 'cancelled', 'lost'];
const isEnd = ({ job }: JobEvent) => ended.includes(job.status);

describe('a job', () => {
  test('runs the command, tells its progress, and keeps what it printed', async () => {
    const a = { run: 'fixture-topk', seed: 0 };
    const b = { run: 'fixture-relu', seed: 0 };
    const started = await on.client.jobs.start.mutate({ kind: 'compare', options: { a, b, name: 'across' } });
    expect(started.command).toBe('lazyscope compare fixture-topk/0 fixture-relu/0 --name=across');
    expect(started.subject).toEqual({ what: 'comparison', name: 'across' });
    const received = await follow(started.id, isEnd);
    expect(received.at(-1)?.job).toMatchObject({ status: 'done', exitCode: 0, error: null });
    expect(received.some((event) => event.type === 'progress' && event.job.progress !== null)).toBe(true);
    const { result } = await on.client.jobs.get.query({ id: started.id });
    const { manifest } = await on.client.comparisons.get.query({ name: 'across' });
    expect(result).toMatchObject({ shared: manifest.shared, comparisons: [manifest] });
    // Both architectures found the same words: the planted concepts come back.
    expect(manifest.shared).toBe(40 / 64);
  });

  test('watched by itself ends the watching when it ends, and at once when it has ended', async () => {
    const a = { run: 'fixture-topk', seed: 1 };
    const b = { run: 'fixture-relu', seed: 1 };
    const job = await on.client.jobs.start.mutate({ kind: 'compare', options: { a, b, name: 'watched' } });
    const watchToTheEnd = () =>
      new Promise<JobEvent[]>((resolve, reject) => {
        const received: JobEvent[] = [];
        on.client.jobs.watch.subscribe(
          { id: job.id },
          {
            onData: ({ data }) => void received.push(data),
            onComplete: () => resolve(received),
            onError: reject,
          },
        );
      });
    const received = await watchToTheEnd();
    expect(received.at(-1)?.job).toMatchObject({ status: 'done', exitCode: 0 });
    expect(received.filter(isEnd)).toHaveLength(1);
    const later = await watchToTheEnd();
    expect(later).toHaveLength(1);
    expect(later[0]).toMatchObject({ type: 'snapshot', job: { status: 'done' } });
  });

  test('whose name the command chooses says it once it is done, and after a restart', async () => {
    const [a, b] = [1, 2].map((seed) => ({ run: 'fixture-topk', seed }));
    const job = await on.client.jobs.start.mutate({ kind: 'compare', options: { a, b, maxTokens: 64 } });
    expect(job.subject).toBeNull();
    const received = await follow(job.id, isEnd);
    const { comparisons } = (await on.client.jobs.get.query({ id: job.id })).result as {
      comparisons: { name: string }[];
    };
    const subject = { what: 'comparison', name: comparisons[0].name };
    expect(received.at(-1)?.job.subject).toEqual(subject);
    await on.restart();
    expect((await on.client.jobs.get.query({ id: job.id })).subject).toEqual(subject);
  });

  test('asks the model about a comparison, within a limit of memory, and maps it', async () => {
    const [a, b] = [0, 1].map((seed) => ({ run: 'fixture-topk', seed }));
    const compared = await on.client.jobs.start.mutate({
      kind: 'compare',
      options: { a, b, name: 'swapped', swap: true, memory: '2GB', maxTokens: 512 },
    });
    expect(compared.command).toBe(
      'lazyscope compare fixture-topk/0 fixture-topk/1 --name=swapped --swap --memory=2GB --max-tokens=512',
    );
    const mapped = await on.client.jobs.start.mutate({
      kind: 'map',
      options: { comparison: 'swapped', points: 100 },
    });
    const received = await follow(mapped.id, isEnd);
    expect((await on.client.jobs.get.query({ id: compared.id })).error).toBe(null);
    expect(received.at(-1)?.job).toMatchObject({ status: 'done', error: null });
    expect(received.some(({ job }) => job.progress?.stage === 'map: layout')).toBe(true);
    const { manifest, mapped: there } = await on.client.comparisons.get.query({ name: 'swapped' });
    expect(manifest.swap?.shared.latents).toBeGreaterThan(0);
    expect(there).toBe(true);
  });

  test('that fails says why in one line, and the next one runs', async () => {
    const bad = await on.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'nothing' } });
    const next = await on.client.jobs.start.mutate({
      kind: 'index',
      options: { run: 'fixture-topk', seeds: [7] },
    });
    expect((await on.client.jobs.get.query({ id: next.id })).status).toBe('queued');
    const received = await follow(bad.id, isEnd);
    expect(received.at(-1)?.job).toMatchObject({ status: 'failed', exitCode: 2 });
    expect(received.at(-1)?.job.error).toMatch(/There is no run 'nothing'/);
    const later = await follow(next.id, isEnd);
    expect(later.at(-1)?.job.error).toMatch(/has no seed 7/);
  });

  test('a client that lost its connection is told what it missed, once', async () => {
    const [newest] = await on.client.jobs.list.query();
    const all = await follow(newest.id, isEnd, undefined);
    // A job that has ended tells how it stands, and no more.
    expect(all.map(({ type }) => type)).toEqual(['snapshot']);
    const job = await on.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'nothing' } });
    const received = await follow(job.id, isEnd);
    const [first, ...missed] = received;
    const again = await follow(job.id, isEnd, first.id);
    expect(again.map(({ id }) => id)).toEqual(missed.map(({ id }) => id));
  });

  test('cancelled in the queue never starts; cancelled while training it keeps a checkpoint', async () => {
    const options = {
      architecture: 'relu',
      capture: 'fixture',
      name: 'long',
      width: 256,
      tokens: 50_000_000,
      batchSize: 512,
    } as const;
    const long = await on.client.jobs.start.mutate({ kind: 'train', options });
    const waiting = await on.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'long' } });
    await follow(long.id, (event) => event.type === 'progress' && (event.job.progress?.done ?? 0) > 1);
    expect((await on.client.jobs.cancel.mutate({ id: waiting.id })).status).toBe('cancelled');
    const asked = performance.now();
    await on.client.jobs.cancel.mutate({ id: long.id });
    const received = await follow(long.id, isEnd);
    // Less than a second where nothing else takes the machine.
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(received.at(-1)?.job).toMatchObject({ status: 'cancelled', exitCode: 130 });
    const { manifest } = await on.client.runs.get.query({ name: 'long' });
    expect(manifest.status).toBe('interrupted');
    expect(manifest.step).toBeGreaterThan(0);
    expect(existsSync(on.store.runCheckpoints('long'))).toBe(true);
    expect((await on.client.jobs.get.query({ id: waiting.id })).startedAt).toBeNull();
    await expect(on.client.jobs.cancel.mutate({ id: long.id })).rejects.toThrow(/is cancelled/);
    await rm(on.store.run('long'), { recursive: true });
  });

  test('options that are not the command’s are refused before anything runs', async () => {
    const count = (await on.client.jobs.list.query()).length;
    // @ts-expect-error: the type refuses it too
    await expect(on.client.jobs.start.mutate({ kind: 'train', options: { capture: 'x' } })).rejects.toThrow();
    const evil = { kind: 'evaluate', options: { run: '--data=elsewhere' } } as const;
    await expect(on.client.jobs.start.mutate(evil)).rejects.toThrow(/letters/);
    expect(await on.client.jobs.list.query()).toHaveLength(count);
  });
});

describe('generation', () => {
  test('continues a prompt with a model of the store', async () => {
    const written = await on.client.models.generate.mutate({
      model: 'fixture-relu',
      prompt: 'the whale',
      maxNewTokens: 5,
    });
    expect(written).toMatchObject({ model: 'fixture-relu', prompt: 'the whale' });
    expect(written.tokens).toBeLessThanOrEqual(5);
    expect(written.tokens).toBeGreaterThan(0);
  });

  test('names the model that is not there', async () => {
    await expect(on.client.models.generate.mutate({ model: 'none', prompt: 'x' })).rejects.toThrow(
      /no model 'none'/,
    );
  });
});

describe('a restart', () => {
  test('keeps the log and marks as lost what another server left running', async () => {
    const before = await on.client.jobs.list.query();
    await on.server.close();
    const database = await Database.open(on.store.database());
    const [newest] = await new JobLog(database).read();
    const left: JobDetail = {
      ...newest,
      id: 'left-running',
      status: 'running',
      finishedAt: null,
      exitCode: null,
    };
    await new JobLog(database).write(left);
    await database.close();
    await on.restart();
    const after = await on.client.jobs.list.query();
    expect(after).toHaveLength(before.length + 1);
    const lost = after.find(({ id }: Job) => id === 'left-running');
    expect(lost).toMatchObject({ status: 'lost' });
    expect(lost?.error).toMatch(/start it again/);
    // Its successor hears of it by subscription too.
    const [{ type, job }] = await follow('left-running', isEnd);
    expect([type, job.status]).toEqual(['snapshot', 'lost']);
  });
});
