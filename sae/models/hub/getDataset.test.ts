import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit, FakeHub } from '../../fixtures/fakeHub.ts';
import { readText } from '../../tokens/readText.ts';
import { getDataset, type GetDatasetOptions } from './getDataset.ts';

const fixtures = join(import.meta.dirname, '..', '..', 'tokens', 'text', 'fixtures');
const written: string[] = JSON.parse(readFileSync(join(fixtures, 'documents.json'), 'utf8'));
let hub: FakeHub;
let datasets: string;
beforeEach(async () => {
  hub = new FakeHub('dataset');
  hub.files.set('README.md', Buffer.from('# Stories'));
  hub.files.set('dataset_infos.json', Buffer.from('{}'));
  hub.files.set('data/train-00000.parquet', readFileSync(join(fixtures, 'one[column].parquet')));
  hub.files.set('data/train-00001.parquet', readFileSync(join(fixtures, 'one[column].parquet')));
  await hub.start();
  datasets = mkdtempSync(join(tmpdir(), 'lazyscope-datasets-'));
});
afterEach(async () => {
  await hub.stop();
  rmSync(datasets, { recursive: true, force: true });
});
const get = (options: Partial<GetDatasetOptions> = {}) =>
  getDataset({
    hub: { endpoint: hub.endpoint, token: hub.token },
    repository: 'someone/tiny',
    datasets,
    patience: 1,
    ...options,
  });
const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

test('its files of text come, in their folders, and are a text by its name', async () => {
  const got = await get();
  expect(got).toMatchObject({ name: 'tiny', path: join(datasets, 'tiny'), commit });
  expect(got.files).toEqual(['data/train-00000.parquet', 'data/train-00001.parquet']);
  expect(readdirSync(got.path)).toEqual(['data']);
  expect((await readText('dataset:tiny', { datasets })).documents).toEqual([...written, ...written]);
});

test('where there are several kinds of files, it has to be said which; a folder or a file is enough', async () => {
  const lines = written.map((text) => JSON.stringify({ text })).join('\n');
  hub.files.set('lines/test data.jsonl.gz', gzipSync(lines));
  hub.files.set('lines/more.jsonl', Buffer.from('{"text":"more"}'));
  await expect(get()).rejects.toEqual(refused('bad_input', /several kinds.*--file from data\/train/));
  await expect(get({ files: ['line'] })).rejects.toEqual(refused('not_found', /no file or folder 'line'/));
  await get({ files: ['lines'], name: 'both' });
  expect((await readText('dataset:both', { datasets })).documents).toEqual(['more', ...written]);
  await get({ files: ['lines/test data.jsonl.gz', 'data/train-00001.parquet'], name: 'two' });
  expect((await readText('dataset:two', { datasets })).documents).toEqual([...written, ...written]);
});

test('a cut connection and a stopped command go on where they ended', async () => {
  const big = Buffer.from('word '.repeat(9000));
  hub.files = new Map([['big.txt', big]]);
  hub.cuts = [7000, 9000];
  const stopping = new AbortController();
  const stopped = get({
    signal: stopping.signal,
    patience: 100_000,
    report: ({ done }) => done > 5000 && setTimeout(() => stopping.abort(), 100),
  });
  await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  expect(existsSync(join(datasets, 'tiny'))).toBe(false);
  await get();
  expect(readFileSync(join(datasets, 'tiny', 'big.txt'))).toEqual(big);
  const ranges = hub.requests.filter(({ url }) => url === '/big.txt').map(({ range }) => range);
  expect(ranges).toEqual([undefined, 'bytes=7000-', 'bytes=16000-']);
});

test('other content than the hub’s checksum says is refused; the token is sent; offline is said', async () => {
  hub.token = 'secret';
  await expect(get({ hub: { endpoint: hub.endpoint } })).rejects.toEqual(
    refused('bad_input', /dataset 'someone\/tiny' .*without a token \(401\).*HF_TOKEN/),
  );
  hub.change = (_, content) => Buffer.from(content.map((byte, i) => (i === 20 ? byte ^ 1 : byte)));
  await expect(get()).rejects.toEqual(refused('corrupt', /another checksum/));
  hub.change = (_, content) => content;
  await get();
  await expect(get()).rejects.toEqual(refused('conflict', /--name/));
  await expect(get({ repository: 'a/b/c', name: 'x' })).rejects.toEqual(
    refused('bad_input', /no name on the hub/),
  );
  await expect(get({ repository: 'someone/else' })).rejects.toEqual(
    refused('not_found', /no dataset 'someone/),
  );
  const { endpoint } = hub;
  await hub.stop();
  await expect(get({ hub: { endpoint }, name: 'y' })).rejects.toEqual(
    refused('unavailable', /can't be reached \((ECONNREFUSED|UND_ERR_SOCKET)\).*HF_ENDPOINT/),
  );
  await hub.start();
});

test('nothing leads out of the folder, and a repository without text says so', async () => {
  hub.files = new Map([
    ['../../evil.txt', Buffer.from('x')],
    ['.git/a.txt', Buffer.from('x')],
    ['table.csv', Buffer.from('x')],
  ]);
  await expect(get()).rejects.toEqual(
    refused('bad_input', /no files of text.*table\.csv.*refs\/convert\/parquet/),
  );
});
