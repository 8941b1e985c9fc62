/** One number that is none, in a dictionary of somebody else: once it passed import, evaluate and index, and then broke the whole feature table. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { importDictionary } from '../sae/formats/importDictionary.ts';
import { readNpz, writeNpz } from '../sae/formats/npz.ts';
import { startTestServer, type TestServer } from './testServer.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
});
afterAll(() => on?.stop());

const packages = join(import.meta.dirname, '../sae/formats/fixtures/packages');
/** The last number of the file is one of the last tensor's. */
function withNaN(folder: string, from: string, file: string): string {
  cpSync(join(packages, from), folder, { recursive: true });
  const bytes = readFileSync(join(folder, file));
  bytes.writeFloatLE(NaN, bytes.length - 4);
  writeFileSync(join(folder, file), bytes);
  return folder;
}

test('one NaN in an imported dictionary is refused by the import of every format, by the name of its tensor', async () => {
  const folders = [
    withNaN(join(on.store.root, 'saelens'), 'saelens-topk', 'sae_weights.safetensors'),
    withNaN(join(on.store.root, 'sparsify'), 'sparsify/layers.1', 'sae.safetensors'),
    withNaN(join(on.store.root, 'gemma-scope-2'), 'gemma-scope-2', 'params.safetensors'),
  ];
  const gemma = join(on.store.root, 'gemma-scope');
  cpSync(join(packages, '../gemma-scope'), gemma, { recursive: true });
  const arrays = await readNpz(join(gemma, 'params.npz'));
  arrays.get('W_dec')?.data.fill(NaN, 5, 6);
  await writeNpz(join(gemma, 'params.npz'), Object.fromEntries(arrays));
  for (const folder of [...folders, gemma])
    await expect(importDictionary(folder)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/NaN in tensor '\w+/),
    });
});

test('one NaN in a stored dictionary is refused by evaluate and by index, by the name of its tensor, and the feature table is still there', async () => {
  const run = 'fixture-topk';
  const table = { run, seed: 1, sort: 'density', limit: 500 } as const;
  const before = await on.client.features.list.query(table);
  const path = on.store.dictionary(run, 1);
  const sound = readFileSync(path);
  const bytes = Buffer.from(sound);
  bytes.writeFloatLE(NaN, bytes.length - 4);
  writeFileSync(path, bytes);
  for (const kind of ['evaluate', 'index'] as const) {
    const { id } = await on.client.jobs.start.mutate({ kind, options: { run } });
    await vi.waitFor(async () => expect((await on.client.jobs.get.query({ id })).finishedAt).not.toBeNull(), {
      timeout: 100_000,
      interval: 200,
    });
    const job = await on.client.jobs.get.query({ id });
    expect([kind, job.status, job.error]).toEqual([
      kind,
      'failed',
      expect.stringMatching(/'?\w+'? holds NaN/),
    ]);
  }
  const after = await on.client.features.list.query(table);
  expect(after.total).toBe(before.total);
  expect(after.rows.map(({ latent }) => latent)).toEqual(before.rows.map(({ latent }) => latent));
  writeFileSync(path, sound);
  rmSync(join(on.store.root, 'saelens'), { recursive: true, force: true });
});
