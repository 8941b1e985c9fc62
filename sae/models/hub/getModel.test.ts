import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit, FakeHub } from '../../fixtures/fakeHub.ts';
import { inspectModel } from '../inspectModel.ts';
import { getModel, type GetModelOptions } from './getModel.ts';

const fixture = join(import.meta.dirname, '..', 'fixtures', 'tinyGpt2');
const gguf = readFileSync(join(import.meta.dirname, '..', 'gguf', 'fixtures', 'llama.gguf'));

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
