/** Which requests are admitted, tested over real connections. */
import { request } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLazyscopeClient } from './client.ts';
import { isLoopback } from './guard.ts';
import { serve } from './serve.ts';
import type { RunningServer, ServeOptions } from './serve.ts';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Sends a request by node:http, because fetch does not allow setting the Host header. */
function ask(
  server: RunningServer,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: server.port, path, method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

const folders: string[] = [];
async function start(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'lazyscope-guard-'));
  folders.push(dataFolder);
  return serve({
    dataFolder,
    bundledModels: [],
    version: '0.0.0-test',
    program: [process.execPath, '-e', ''],
    port: 0,
    log: () => {},
    ...options,
  });
}
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const query = '/trpc/captures.list';

describe('without a token', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  test('this machine is let in by each of its names', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]'])
      expect((await ask(server, query, { host: `${name}:${server.port}` })).status).toBe(200);
  });

  test('a name that only resolves to this machine is refused (DNS rebinding)', async () => {
    for (const path of [query, '/api/health', '/']) {
      const { status, body } = await ask(server, path, { host: 'attacker.example' });
      expect(status).toBe(421);
      expect(body).toContain('attacker.example');
    }
    expect((await ask(server, query, { host: '127.0.0.1.attacker.example' })).status).toBe(421);
  });

  test.each(['127.999.999.999', '127.0.0.1:x', '[::1', '0x7f000001'])(
    'the host %j, which is none of this machine, is refused and no fault of the server',
    async (host) => {
      const { status } = await ask(server, query, { host });
      expect([400, 421]).toContain(status);
    },
  );

  test('pages of other sites are refused, whatever they send', async () => {
    const host = `127.0.0.1:${server.port}`;
    expect((await ask(server, query, { host, origin: 'https://attacker.example' })).status).toBe(403);
    expect((await ask(server, query, { host, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await ask(server, query, { host, origin: `http://${host}` })).status).toBe(200);
  });

  test('no answer allows another origin to read it', async () => {
    const { headers } = await ask(server, query);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('an address that is none is answered, not died of', async () => {
    expect((await ask(server, '//[')).status).toBe(400);
    expect((await ask(server, '/api/health')).status).toBe(200);
  });
});

describe('with a token', () => {
  const token = 'open sesame';
  let server: RunningServer;
  beforeAll(async () => {
    server = await start({ token });
  });
  afterAll(() => server.close());

  test('calls without it are refused as UNAUTHORIZED', async () => {
    const { status, body } = await ask(server, query);
    expect(status).toBe(401);
    expect(JSON.parse(body).error.data.code).toBe('UNAUTHORIZED');
    expect((await ask(server, query, { authorization: 'Bearer open sesamE' })).status).toBe(401);
    expect((await ask(server, '/api/arrow/metrics/x')).status).toBe(401);
    expect((await ask(server, '/api/parquet/sparsity/x/neurons')).status).toBe(401);
    expect((await ask(server, '/api/csv/sparsity/x/neurons')).status).toBe(401);
  });

  test('the client carries it, in queries and in subscriptions', async () => {
    const client = createLazyscopeClient({ url: server.url, token });
    expect(await client.captures.list.query()).toEqual([]);
    await new Promise<void>((resolve, reject) => {
      const watching = client.jobs.watch.subscribe(
        {},
        {
          onStarted: () => {
            watching.unsubscribe();
            resolve();
          },
          onError: reject,
        },
      );
    });
  });

  test('a browser that opens /?token=… gets a cookie that admits it, and the address without the token', async () => {
    const { status, headers } = await ask(server, `/runs?token=${encodeURIComponent(token)}&x=1`);
    expect(status).toBe(303);
    expect(headers['location']).toBe('/runs?x=1');
    const cookie = String(headers['set-cookie']);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await ask(server, query, { cookie: cookie.split(';')[0] })).status).toBe(200);
    expect((await ask(server, '/?token=wrong')).headers['set-cookie']).toBeUndefined();
  });

  test.each(['//evil.example', '/.//evil.example', '/\\evil.example', '///evil.example/x'])(
    'the address after the token never leads to another site: %s',
    async (path) => {
      const { status, headers } = await ask(server, `${path}?token=${encodeURIComponent(token)}`);
      expect(status).toBe(303);
      expect(new URL(String(headers['location']), server.url).host).toBe(`127.0.0.1:${server.port}`);
    },
  );

  test('it may be reached by any name: the token is the protection', async () => {
    const headers = { host: 'box.example', authorization: `Bearer ${token}` };
    expect((await ask(server, query, headers)).status).toBe(200);
  });
});

describe('with a token for readers besides', () => {
  let server: RunningServer;
  let folder: string;
  beforeAll(async () => {
    server = await start({ token: 'all', readToken: 'some' });
    folder = folders.at(-1) ?? '';
  });
  afterAll(() => server.close());

  test('a reader gets what queries answer, and may change nothing', async () => {
    const reader = createLazyscopeClient({ url: server.url, token: 'some' });
    expect(await reader.captures.list.query()).toEqual([]);
    const refused = { data: { httpStatus: 403 }, message: expect.stringContaining('only read') };
    await expect(
      reader.labels.set.mutate({ run: 'x', seed: 0, latent: 0, label: 'a' }),
    ).rejects.toMatchObject(refused);
    await expect(reader.jobs.start.mutate({ kind: 'evaluate', options: { run: 'x' } })).rejects.toMatchObject(
      refused,
    );
  });

  test('every mutation is a line of audit.jsonl: who, what, and whether it was done', async () => {
    const admin = createLazyscopeClient({ url: server.url, token: 'all' });
    await admin.labels.set.mutate({ run: 'x', seed: 0, latent: 0, label: '' });
    await expect(admin.labels.set.mutate({ run: 'x', seed: 0, latent: 0, label: 'a' })).rejects.toThrow(
      /no run 'x'/,
    );
    const lines = (await readFile(join(folder, 'audit.jsonl'), 'utf8')).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line));
    expect(entries.map(({ procedure, role, ok }) => [procedure, role, ok])).toEqual([
      ['labels.set', 'reader', false],
      ['jobs.start', 'reader', false],
      ['labels.set', 'admin', true],
      ['labels.set', 'admin', false],
    ]);
    expect(entries[3]).toMatchObject({ address: expect.stringContaining('127.0.0.1') });
    expect(JSON.parse(entries[3].input)).toMatchObject({ run: 'x', label: 'a' });
  });

  test.each([{ readToken: 'some' }, { token: 'all', readToken: 'all' }, { token: 'all', readToken: ' ' }])(
    'refused at the start where it would not protect: %j',
    async (tokens) => {
      await expect(start(tokens)).rejects.toMatchObject({ code: 'bad_input' });
    },
  );
});

describe('starting', () => {
  test('other machines are let in only with a token', async () => {
    await expect(start({ hostname: '0.0.0.0' })).rejects.toThrow(/--token/);
    const server = await start({ hostname: '0.0.0.0', token: 'x' });
    expect((await ask(server, query)).status).toBe(401);
    await server.close();
  });

  test('a port in use is said in one line', async () => {
    const server = await start();
    await expect(start({ port: server.port })).rejects.toMatchObject({
      code: 'conflict',
      message: `Port ${server.port} is in use: choose another with --port, or --port 0 for any that is free.`,
    });
    await server.close();
  });

  test('a second server on the same data folder is refused', async () => {
    const server = await start();
    // Another process, as DuckDB lets one process open a file twice.
    const { spawnSync } = await import('node:child_process');
    const second = spawnSync(
      process.execPath,
      [
        join(import.meta.dirname, '..', 'scripts', 'lazyscope.mjs'),
        'serve',
        '--no-explorer',
        '--port',
        '0',
        '--data',
        folders.at(-1) ?? '',
      ],
      { encoding: 'utf8', timeout: 60_000 },
    );
    await server.close();
    expect(second.status).toBe(2);
    expect(second.stderr).toMatch(
      /^lazyscope: .*lazyscope\.duckdb.* is open in another process, such as 'lazyscope serve' on this folder: stop that/m,
    );
  });
});

test('loopback names', () => {
  expect(['localhost', '127.0.0.1', '127.8.9.1', '::1', '[::1]'].every(isLoopback)).toBe(true);
  for (const other of [
    '0.0.0.0',
    '128.0.0.1',
    'localhost.example',
    '127.0.0.1.example',
    '127.999.999.999',
    '::',
  ])
    expect(isLoopback(other)).toBe(false);
});
