/** What a client can't do to a server: each test is named after what once happened. */
import { connect } from 'node:net';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { maxBatchSize } from './contract/batchSize.ts';
import { maxBodyBytes } from './contract/limits.ts';
import { Database } from './database.ts';
import { Commands } from './jobs/commands.ts';
import { JobQueue } from './jobs/jobQueue.ts';
import { thisMachine } from './jobs/machineShare.ts';
import { startTestServer } from './testServer.ts';
import type { TestServer } from './testServer.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(async () => {
  await on?.stop();
});

/** Sends a body in chunks of 64 KB without saying its length, until the server answers. */
function sendChunked(path: string, bytes: number): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    const chunk = Buffer.alloc(1 << 16, 'x');
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: on.server.port,
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      },
      (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, sent });
        outgoing.destroy();
      },
    );
    outgoing.on('error', reject);
    const send = () => {
      while (sent < bytes) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return void outgoing.once('drain', send);
      }
      outgoing.end();
    };
    send();
  });
}

describe('a request', () => {
  test('of 600 MB in chunks ends after the first megabytes', async () => {
    const before = process.memoryUsage().rss;
    const { status, sent } = await sendChunked('/trpc/labels.set', 600 << 20);
    expect(status).toBe(413);
    expect(sent).toBeLessThan(64 << 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  });

  test('that stops in its headers, or before them, is ended and its connection closed', async () => {
    const answers = ['GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n', ''].map(async (sent) => {
      const socket = connect(on.server.port, '127.0.0.1');
      socket.write(sent);
      let answer = '';
      socket.on('data', (bytes) => (answer += bytes));
      await new Promise((resolve) => socket.once('close', resolve));
      return answer;
    });
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('that says it is longer than allowed is refused unread', async () => {
    const answer = await fetch(`${on.server.url}/trpc/labels.set`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'x'.repeat(maxBodyBytes + 1),
    });
    expect(answer.status).toBe(413);
  });

  test('with 1,000 queries is refused', async () => {
    const names = Array.from({ length: 1_000 }, () => 'runs.list').join(',');
    const answer = await fetch(`${on.server.url}/trpc/${names}?batch=1&input=%7B%7D`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).not.toContain('fixture-topk');
  });

  test('the client splits what it is asked at once into requests of the allowed size', async () => {
    const answers = await Promise.all(
      Array.from({ length: 3 * maxBatchSize }, () => on.client.captures.list.query()),
    );
    expect(answers.every(([{ name }]) => name === 'fixture')).toBe(true);
  });

  test('to change a page is refused', async () => {
    const answer = await fetch(`${on.server.url}/runs`, { method: 'POST', body: 'x' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test.each([
    ['no byte', ''],
    ['half a request', 'GET /api/health HTTP/1.1\r\nHost: 127'],
  ])('a connection with %s is closed', async (_, said) => {
    const socket = connect(on.server.port, '127.0.0.1');
    const closed = new Promise<number>((resolve) => {
      const start = performance.now();
      socket.once('close', () => resolve(performance.now() - start));
    });
    socket.on('error', () => {}).resume();
    socket.write(said);
    expect(await closed).toBeLessThan(20_000);
  });

  test('with a latent of 2³¹ is a bad request, not a fault of the server', async () => {
    const latent = 2 ** 31;
    const topk = { run: 'fixture-topk', seed: 0 };
    const bad = { data: { httpStatus: 400 } };
    await expect(on.client.features.get.query({ ...topk, latent })).rejects.toMatchObject(bad);
    await expect(on.client.features.list.query({ ...topk, filter: { latent } })).rejects.toMatchObject(bad);
    await expect(on.client.labels.set.mutate({ ...topk, latent, label: 'x' })).rejects.toMatchObject(bad);
    await expect(on.client.features.list.query({ run: 'fixture-topk', seed: latent })).rejects.toMatchObject(
      bad,
    );
  });
});

describe('a label', () => {
  const topk = { run: 'fixture-topk', seed: 0, latent: 0, label: 'x' };
  test.each([
    ['a run name of a megabyte', { ...topk, run: 'r'.repeat(900_000) }, 400],
    ['a run that is not there', { ...topk, run: 'nothing' }, 404],
    ['a seed that the run has not', { ...topk, seed: 77 }, 404],
    ['a latent beyond the last', { ...topk, latent: 64 }, 404],
    ['a note of 10,001 characters', { ...topk, note: 'n'.repeat(10_001) }, 400],
  ])('with %s is refused and leaves nothing', async (_, label, httpStatus) => {
    await expect(on.client.labels.set.mutate(label)).rejects.toMatchObject({ data: { httpStatus } });
    expect(await on.client.labels.list.query({})).toEqual([]);
  });
});

describe('a job whose process can’t be started', () => {
  test('fails, says why, and lets the next one run', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-jobs-'));
    const database = await Database.open(join(folder, 'jobs.duckdb'));
    const log: string[] = [];
    const commands = new Commands({
      program: [process.execPath, '-e', 'console.error("lazyscope: ran"); process.exit(2)', '--'],
      dataFolder: folder,
      log: (line) => log.push(line),
    });
    const machine = thisMachine({ gpu: () => false });
    const queue = await JobQueue.open({ commands, database, log: (line) => log.push(line), machine });
    // One argument of a Linux process may have 128 KiB.
    const tooLong = await queue.start({ kind: 'evaluate', options: { run: 'r'.repeat(200_000) } });
    const next = await queue.start({ kind: 'evaluate', options: { run: 'x' } });
    await vi.waitFor(() => expect(queue.get(next.id).finishedAt).not.toBeNull(), { timeout: 30_000 });
    expect(queue.get(tooLong.id)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('too much for one command line'),
    });
    expect(queue.get(next.id)).toMatchObject({ status: 'failed', error: 'ran' });
    await queue.close();
    await database.close();
    await rm(folder, { recursive: true });
  });

  const capture = (hooks: string[]) =>
    on.client.jobs.start.mutate({
      kind: 'capture',
      options: { model: 'fixture-relu', text: 'dataset:sotu', hooks },
    });
  test.each([
    ['a NUL in a hook’s name', ['blocks.0\0x']],
    ['30,000 hooks', Array.from({ length: 30_000 }, (_, i) => `blocks.${i}.hook`)],
  ])('%s is a bad request', async (_, hooks) => {
    await expect(capture(hooks)).rejects.toMatchObject({ data: { httpStatus: 400 } });
  });
});

describe('an answer', () => {
  test.each(['/trpc/runs.list', '/api/health', '/runs'])(
    'of %s can’t be framed, nor taken for another type',
    async (path) => {
      const { headers } = await fetch(on.server.url + path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/);
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  test('carries an id, which no other has', async () => {
    const ids = await Promise.all(
      ['/healthz', '/readyz', '/trpc/runs.list'].map(async (path) =>
        (await fetch(on.server.url + path)).headers.get('x-request-id'),
      ),
    );
    expect(new Set(ids).size).toBe(3);
  });

  test('/healthz and /readyz say that it lives and that it answers', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(on.server.url + path)).status).toBe(200);
  });

  test('/api/metrics counts requests, procedures and jobs in Prometheus’s format', async () => {
    await on.client.runs.list.query();
    const text = await (await fetch(`${on.server.url}/api/metrics`)).text();
    expect(text).toMatch(/^lazyscope_http_requests_total\{status="200"\} [1-9]/m);
    expect(text).toMatch(/^lazyscope_procedure_seconds_count\{procedure="runs\.list",outcome="ok"\} [1-9]/m);
    expect(text).toMatch(/^lazyscope_jobs\{status="failed"\} \d+$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
    expect(text).toMatch(/^process_resident_memory_bytes [1-9]/m);
  });
});

describe('on an address that other machines reach', () => {
  let open: TestServer;
  beforeAll(async () => {
    open = await startTestServer({ hostname: '0.0.0.0', token: 'secret' });
  });
  afterAll(() => open?.stop());
  const ask = (token: string) =>
    fetch(`http://127.0.0.1:${open.server.port}/trpc/runs.list`, {
      headers: { authorization: `Bearer ${token}` },
    });

  test('who sends more than 600 requests in ten seconds is told to wait', async () => {
    const statuses: number[] = [];
    for (let part = 0; part < 13; part++)
      statuses.push(
        ...(await Promise.all(
          Array.from({ length: 50 }, async () => {
            const answer = await fetch(`http://127.0.0.1:${open.server.port}/api/health`, {
              headers: { authorization: 'Bearer secret' },
            });
            await answer.arrayBuffer();
            return answer.status;
          }),
        )),
      );
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(599);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
    // The next test’s server is this one.
    await expect
      .poll(async () => (await ask('secret')).status, { timeout: 20_000, interval: 1_000 })
      .toBe(200);
  });

  test('who tries eleven wrong tokens is not answered for a while, and told how long', async () => {
    expect((await ask('secret')).status).toBe(200);
    for (let i = 0; i < 11; i++) expect((await ask(`guess ${i}`)).status).toBe(401);
    const refused = await ask('secret');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
