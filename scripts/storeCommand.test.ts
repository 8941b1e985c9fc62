/** `lazyscope store`, and `lazyscope serve` on the address of a store, as processes of their own. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { serveFolder, type StaticServer } from '../sae/fixtures/staticServer.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder: string;
let files: StaticServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-store-'));
  await writeFixtureStore(join(folder, 'data'));
  files = await serveFolder(join(folder, 'data'));
});
afterAll(async () => {
  await files.close();
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'lazyscope.mjs'), ...args]);
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  const status = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, said, status };
}

async function lazyscope(...args: string[]) {
  const { said, status } = start(...args);
  return { status: await status, ...said };
}

test('a data folder that is not there is neither listed nor sent anywhere', async () => {
  const none = join(folder, 'none');
  for (const command of [['index'], ['upload', 's3://bucket']]) {
    const { status, err } = await lazyscope('store', ...command, '--data', none);
    expect([status, err]).toEqual([
      2,
      `lazyscope: There is no data folder '${none}': give with --data the one that is to be published.\n`,
    ]);
  }
});

test('a store is listed, served from its address, copied, and refused to commands that write', async () => {
  const data = join(folder, 'data');
  const before = await lazyscope('store', 'fetch', files.url, '--data', join(folder, 'copy'));
  expect(before).toMatchObject({ status: 2, out: '' });
  expect(before.err).toBe(
    `lazyscope: There is no store at '${files.url}/': its folder must have the store.json that 'lazyscope store index' writes.\n`,
  );

  const listed = await lazyscope('store', 'index', '--data', data, '--json');
  expect(listed.status, listed.err).toBe(0);
  const { files: count, bytes, labels } = JSON.parse(listed.out);
  expect([count > 30, bytes > 1e5, labels]).toEqual([true, true, 0]);
  // The fixture has the absolute folder of its model, as earlier versions wrote it.
  expect(listed.err).toContain('name the model alone now');
  const capture = await readFile(join(data, 'captures', 'fixture', 'capture.json'), 'utf8');
  expect(JSON.parse(capture).model.folder).toBe('models/fixture-relu');

  const server = start(
    'serve', '--data', files.url, '--no-explorer', '--port', '0', '--cache', join(folder, 'caches'),
    '--cache-size', '1MB', '--json',
  ); // prettier-ignore
  await vi.waitFor(() => expect(server.said.out, server.said.err).toContain('"url"'), { timeout: 60_000 });
  const { url } = JSON.parse(server.said.out) as { url: string };
  const input = encodeURIComponent(JSON.stringify({ run: 'fixture-topk', seed: 0, latent: 2 }));
  const answer = await fetch(`${url}/trpc/features.get?input=${input}`);
  expect(await answer.json()).toMatchObject({ result: { data: { latent: 2, run: 'fixture-topk' } } });
  server.child.kill('SIGINT');
  expect(await server.status, server.said.err).toBe(0);

  const fetched = await lazyscope('store', 'fetch', files.url, '--data', join(folder, 'copy'), '--json');
  expect(fetched.status, fetched.err).toBe(0);
  expect(JSON.parse(fetched.out)).toMatchObject({ url: `${files.url}/`, files: count, bytes, kept: 0 });

  const refused = await lazyscope('search', 'whale', '--data', files.url);
  expect(refused).toEqual({
    status: 2,
    out: '',
    err: `lazyscope: 'lazyscope search' takes a folder as --data: copy the published store with 'lazyscope store fetch ${files.url} --data FOLDER', and give that folder.\n`,
  });
  const flag = await lazyscope(
    'serve',
    '--no-explorer',
    '--port',
    '0',
    '--data',
    data,
    '--cache-size',
    '1GB',
  );
  expect([flag.status, flag.err]).toEqual([
    2,
    'lazyscope: --cache-size is for a published store: give its address with --data https://…, or leave --cache-size out.\n',
  ]);
});
