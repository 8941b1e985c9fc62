import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectModel } from '../inspectModel.ts';
import { getModel, type GetModelOptions } from './getModel.ts';

const fixture = join(import.meta.dirname, '..', 'fixtures', 'tinyGpt2');
const gguf = readFileSync(join(import.meta.dirname, '..', 'gguf', 'fixtures', 'llama.gguf'));
const commit = '0123456789abcdef0123456789abcdef01234567';
const hex = (kind: string, ...parts: (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash(kind)).digest('hex');

interface Request {
  method: string;
  url: string;
  range: string | undefined;
  authorization: string | undefined;
}

/** The hub's documented endpoints over files in memory, and a store of content on another origin that `resolve` points to. */
class FakeHub {
  files = new Map<string, Buffer>();
  requests: Request[] = [];
  /** Bytes after which a connection to a file is cut, once each. */
  cuts: number[] = [];
  token: string | undefined;
  /** Whether the content's origin does ranges. */
  ranges = true;
  change = (_path: string, content: Buffer): Buffer => content;
  #api: Server;
  #content: Server;

  constructor() {
    this.#api = createServer((request, response) => this.#answer(request, response));
    this.#content = createServer((request, response) => this.#send(request, response));
  }
  async start(): Promise<void> {
    for (const server of [this.#api, this.#content])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.endpoint = `http://127.0.0.1:${(this.#api.address() as AddressInfo).port}`;
  }
  async stop(): Promise<void> {
    for (const server of [this.#api, this.#content]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
  endpoint = '';

  #log(request: IncomingMessage): Request {
    const { method = '', url = '', headers } = request;
    const logged = { method, url, range: headers.range, authorization: headers.authorization };
    this.requests.push(logged);
    return logged;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url, authorization } = this.#log(request);
    if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end('{"error":"Invalid username or password."}');
      return;
    }
    if (url === '/api/models/someone/tiny/revision/main?blobs=true') {
      const siblings = [...this.files].map(([rfilename, content]) =>
        // As on the hub, large files are in LFS; small ones have Git's own checksum.
        content.length > 10_000
          ? {
              rfilename,
              size: content.length,
              blobId: hex('sha1', 'pointer'),
              lfs: { sha256: hex('sha256', content), size: content.length, pointerSize: 130 },
            }
          : { rfilename, size: content.length, blobId: hex('sha1', `blob ${content.length}\0`, content) },
      );
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: 'someone/tiny', sha: commit, siblings }));
      return;
    }
    const file = url.startsWith(`/someone/tiny/resolve/${commit}/`) ? url.split('/').at(-1)! : '';
    if (!this.files.has(file)) {
      response.writeHead(404).end('{"error":"Not found"}');
      return;
    }
    const { port } = this.#content.address() as AddressInfo;
    response.writeHead(302, { location: `http://localhost:${port}/${file}` }).end();
  }

  #send(request: IncomingMessage, response: ServerResponse): void {
    const { url, range } = this.#log(request);
    const path = url.slice(1);
    const content = this.change(path, this.files.get(path)!);
    const from = this.ranges && range ? Number(/^bytes=(\d+)-$/.exec(range)![1]) : 0;
    const cut = this.cuts.length > 0 && content.length > 10_000 ? this.cuts.shift()! : undefined;
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': content.length - from,
      ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    if (cut === undefined) response.end(content.subarray(from));
    else response.write(content.subarray(from, from + cut), () => setTimeout(() => response.destroy(), 20));
  }
}

let hub: FakeHub;
let models: string;
beforeEach(async () => {
  hub = new FakeHub();
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'])
    hub.files.set(name, readFileSync(join(fixture, name)));
  hub.files.set('README.md', Buffer.from('# Tiny'));
  hub.files.set('tf_model.h5', Buffer.alloc(50_000));
  await hub.start();
  models = mkdtempSync(join(tmpdir(), 'lazyscope-hub-'));
});
afterEach(async () => {
  await hub.stop();
  rmSync(models, { recursive: true, force: true });
});

const get = (options: Partial<GetModelOptions> = {}) =>
  getModel({
    hub: { endpoint: hub.endpoint, token: hub.token },
    repository: 'someone/tiny',
    models,
    patience: 1,
    ...options,
  });
const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a model by its name', () => {
  test('comes with what it needs, and can be run', async () => {
    const bytes: number[] = [];
    const got = await get({ report: ({ done, total }) => bytes.push(done / total) });
    expect(got).toMatchObject({ path: join(models, 'tiny'), commit });
    expect(readdirSync(got.path).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    for (const name of readdirSync(got.path))
      expect(readFileSync(join(got.path, name))).toEqual(hub.files.get(name));
    expect((await inspectModel(got.path)).problems).toEqual([]);
    expect(bytes.at(-1)).toBe(1);
    expect(readdirSync(models)).toEqual(['tiny']);
  });

  test('a cut connection goes on where it ended', async () => {
    hub.cuts = [7000, 9000];
    const { path } = await get();
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(hub.files.get('model.safetensors'));
    const ranges = hub.requests.filter(({ url }) => url === '/model.safetensors').map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=7000-', 'bytes=16000-']);
  });

  test('a download that was stopped goes on with the next command', async () => {
    hub.cuts = [7000];
    const stopping = new AbortController();
    const stopped = get({
      signal: stopping.signal,
      patience: 100_000,
      report: ({ stage, done }) =>
        done > 10_000 && stage.includes('safetensors') && setTimeout(() => stopping.abort(), 200),
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(existsSync(join(models, 'tiny'))).toBe(false);
    hub.requests = [];
    await get();
    expect(hub.requests.find(({ url }) => url === '/model.safetensors')?.range).toBe('bytes=7000-');
    // What was whole is not asked for again.
    expect(hub.requests.some(({ url }) => url.endsWith('/tokenizer.json'))).toBe(false);
  });

  test('a server without ranges begins at the beginning', async () => {
    hub.ranges = false;
    hub.cuts = [7000];
    const { path } = await get();
    expect(readFileSync(join(path, 'model.safetensors'))).toEqual(hub.files.get('model.safetensors'));
  });

  test.each(['model.safetensors', 'config.json'])(
    '%s with another checksum is refused and removed',
    async (changed) => {
      hub.change = (path, content) => {
        const bytes = Buffer.from(content);
        if (path === changed) bytes[20] ^= 1;
        return bytes;
      };
      await expect(get()).rejects.toEqual(refused('corrupt', new RegExp(`'${changed}' .* another checksum`)));
      expect(existsSync(join(models, 'tiny'))).toBe(false);
      hub.change = (_, content) => content;
      await get();
    },
  );

  test('more bytes than the hub says are refused', async () => {
    hub.change = (path, content) =>
      path === 'model.safetensors' ? Buffer.concat([content, Buffer.alloc(9)]) : content;
    await expect(get()).rejects.toEqual(refused('corrupt', /longer than the hub says/));
  });

  test('the token goes to the hub and not to where the content is', async () => {
    hub.token = 'secret';
    await get();
    const api = hub.requests.filter(({ url }) => url.includes('someone/tiny'));
    const content = hub.requests.filter(({ url }) => !url.includes('someone/tiny'));
    expect(new Set(api.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']));
    expect(new Set(content.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });

  test('without a token, or with a wrong one, one line says which', async () => {
    hub.token = 'secret';
    const at = (token?: string) => get({ hub: { endpoint: hub.endpoint, token } });
    await expect(at()).rejects.toEqual(refused('bad_input', /without a token \(401\).*HF_TOKEN/));
    await expect(at('wrong')).rejects.toEqual(refused('bad_input', /to the token in HF_TOKEN \(401\)/));
  });

  test('a name that is not there, and one that is none', async () => {
    await expect(get({ repository: 'someone/else' })).rejects.toEqual(
      refused('not_found', /no model 'someone\/else'/),
    );
    for (const repository of ['../tiny', 'a/b/c', '', 'x y'])
      await expect(get({ repository })).rejects.toEqual(refused('bad_input', /no name on the hub/));
  });

  test('offline, one line says so', async () => {
    const { endpoint } = hub;
    await hub.stop();
    const offline = get({ hub: { endpoint } });
    await expect(offline).rejects.toEqual(
      refused('unavailable', /can't be reached \(ECONNREFUSED\).*HF_ENDPOINT/),
    );
    await hub.start();
  });

  test('a family that can’t be run is refused before its weights come', async () => {
    hub.files.set('config.json', Buffer.from('{"model_type":"mamba","architectures":["MambaForCausalLM"]}'));
    await expect(get()).rejects.toEqual(refused('bad_input', /MambaForCausalLM/));
    expect(hub.requests.some(({ url }) => url.includes('safetensors'))).toBe(false);
  });

  test('a name that is taken is left alone', async () => {
    await get();
    await expect(get()).rejects.toEqual(refused('conflict', /--name/));
    expect((await get({ name: 'again' })).path).toBe(join(models, 'again'));
  });
});

describe('GGUF files', () => {
  beforeEach(() => {
    hub.files = new Map([
      ['tiny.Q8_0.gguf', gguf],
      ['other.gguf', Buffer.alloc(20_000)],
    ]);
  });

  test('one of them, by its name', async () => {
    const { path } = await get({ file: 'tiny.Q8_0.gguf' });
    expect(path).toBe(join(models, 'tiny.Q8_0.gguf'));
    expect(readFileSync(path)).toEqual(gguf);
    expect(readdirSync(models)).toEqual(['tiny.Q8_0.gguf']);
  });

  test('without a name, or with a wrong one, the names are listed', async () => {
    await expect(get()).rejects.toEqual(refused('bad_input', /--file: tiny\.Q8_0\.gguf, other\.gguf/));
    await expect(get({ file: 'x.gguf' })).rejects.toEqual(refused('not_found', /choose one of tiny/));
  });
});
