import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreLayout } from '../store/layout.ts';
import { publishable } from '../store/remote/storeFiles.ts';
import { modelPlace, recordModelPlace, withoutPlace } from './modelPlace.ts';

const base = mkdtempSync(join(tmpdir(), 'lazyscope-places-'));
const sha256 = 'a'.repeat(64);

function makeModel(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{}');
  return folder;
}

test('a model of the store is recorded by its path there, and is found after the store has moved', async () => {
  const store = new StoreLayout(join(base, 'first'));
  const folder = await recordModelPlace(store, makeModel(store.model('whale')), sha256);
  expect(folder).toBe('models/whale');
  renameSync(store.root, join(base, 'moved'));
  const moved = new StoreLayout(join(base, 'moved'));
  expect(modelPlace(moved, { name: 'whale', folder, sha256 })).toBe(moved.model('whale'));
  expect(modelPlace(store, { name: 'whale', folder, sha256 })).toBeUndefined();
});

test('where a model elsewhere lies is known to this machine alone', async () => {
  const store = new StoreLayout(join(base, 'second'));
  mkdirSync(store.captures(), { recursive: true });
  const place = makeModel(join(base, 'elsewhere', 'whale'));
  const folder = await recordModelPlace(store, place, sha256);
  expect(folder).toBe('');
  expect(modelPlace(store, { name: 'whale', folder, sha256 })).toBe(place);
  // Another model of the same name is another model.
  expect(modelPlace(store, { name: 'whale', folder, sha256: 'b'.repeat(64) })).toBeUndefined();
  expect(await publishable(store.root)).toEqual({ paths: [], leftOut: [] });
  writeFileSync(join(store.root, '.places', `${sha256}.json`), '{"folder": 7');
  expect(modelPlace(store, { name: 'whale', folder, sha256 })).toBeUndefined();
  await recordModelPlace(store, place, sha256);
  expect(JSON.parse(readFileSync(join(store.root, '.places', `${sha256}.json`), 'utf8'))).toEqual({ folder: place }); // prettier-ignore
});

test('the absolute folder of an earlier version is read, and said to nobody', () => {
  const store = new StoreLayout(join(base, 'third'));
  const place = makeModel(join(base, 'old', 'whale'));
  expect(modelPlace(store, { name: 'whale', folder: place, sha256 })).toBe(place);
  expect(modelPlace(store, { name: 'whale', folder: place })).toBe(place);
  expect(withoutPlace({ name: 'whale', folder: place, sha256 })).toEqual({
    name: 'whale',
    folder: '',
    sha256,
  });
  expect(withoutPlace({ name: 'whale', folder: 'models/whale' }).folder).toBe('models/whale');
});

test.each([
  '../elsewhere/whale',
  'models/../../elsewhere/whale',
  'models/..',
  'elsewhere/whale',
  'models/a/b',
  '',
])('a store that says %j leads to no folder outside it', (folder) => {
  makeModel(join(base, 'elsewhere', 'whale'));
  makeModel(join(base, 'fourth'));
  makeModel(join(base, 'fourth', 'models', 'a', 'b'));
  expect(modelPlace(new StoreLayout(join(base, 'fourth')), { name: 'whale', folder })).toBeUndefined();
});
