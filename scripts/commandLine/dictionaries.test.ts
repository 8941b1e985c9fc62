import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CaptureManifest } from '../../sae/spec/manifests/capture.ts';
import type { RunManifest } from '../../sae/spec/manifests/run.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { originOf } from './dictionaries.ts';

const root = await mkdtemp(join(tmpdir(), 'lazyscope-origin-'));
const store = new StoreLayout(root);
afterAll(() => rm(root, { recursive: true, force: true }));
const run = { config: { capture: 'text' } } as RunManifest;

async function capturedWith(config: object, packing?: CaptureManifest['packing']): Promise<void> {
  const manifest: CaptureManifest = {
    version: 1, name: 'text', createdAt: '', status: 'complete', model: { name: 'my-folder', folder: root, sha256: '' },
    text: { source: 'whales.txt', sha256: '' }, contextLength: 96, contexts: 10, heldOutContexts: 2, firstPosition: 3,
    dtype: 'float16', tokens: null, hooks: [], ...(packing && { packing }),
  }; // prettier-ignore
  await mkdir(store.capture('text'), { recursive: true });
  await writeFile(store.captureManifest('text'), JSON.stringify(manifest));
  await writeFile(join(root, 'config.json'), JSON.stringify(config));
}

test('a run comes from the model of the published name, and from the text as it was cut', async () => {
  await capturedWith({ _name_or_path: 'EleutherAI/pythia-70m' }, { separator: 0, before: 'documents' });
  expect(await originOf(store, run)).toEqual({
    model: 'EleutherAI/pythia-70m',
    text: { dataset: 'whales.txt', contextLength: 96, separatorFirst: false, firstPosition: 3 },
  });
});

test.each([
  {},
  { _name_or_path: '' },
  { _name_or_path: './out/checkpoint' },
  { _name_or_path: '/home/me/gpt' },
])('where the configuration %j has no published name, the folder’s stands', async (config) => {
  await capturedWith(config, { separator: 0, before: 'contexts' });
  expect(await originOf(store, run)).toMatchObject({ model: 'my-folder', text: { separatorFirst: true } });
});

test('a tokenizer without a separator begins no context with it; of a capture that is gone nothing is known', async () => {
  await capturedWith({}, { separator: null, before: 'contexts' });
  expect(await originOf(store, run)).toMatchObject({ text: { separatorFirst: false } });
  await rm(store.capture('text'), { recursive: true });
  expect(await originOf(store, run)).toEqual({});
});
