import { expect, test } from 'vitest';
import {
  printChanges,
  printDictionaries,
  readChanges,
  readDictionaries,
  readLatent,
  type Change,
} from './playgroundState.ts';

test('what is printed into an address is read again', () => {
  const dictionaries = [
    { run: 'demo-relu', seed: 0 },
    { run: 'a.b_c', seed: 12 },
  ];
  expect(readDictionaries(printDictionaries(dictionaries))).toEqual(dictionaries);
  const changes: Change[] = [
    { run: 'demo-relu', seed: 0, latent: 331, kind: 'clamp', value: 20.5 },
    { run: 'demo-relu', seed: 0, latent: 7, kind: 'ablate', value: 0 },
    { run: 'a.b_c', seed: 12, latent: 0, kind: 'add', value: -3 },
  ];
  expect(readChanges(printChanges(changes))).toEqual(changes);
});

test('what an address should not hold is left out', () => {
  expect(readDictionaries('demo/0,demo/0,nothing,a/b,a/1/2,/3,')).toEqual([{ run: 'demo', seed: 0 }]);
  expect(readLatent('demo/0')).toBeUndefined();
  expect(readLatent('demo/0:x')).toBeUndefined();
  expect(readLatent('demo/0:4')).toEqual({ run: 'demo', seed: 0, latent: 4 });
  expect(readChanges('demo/0:4:explode:2,demo/0:4:clamp:much,demo/0:5:ablate')).toEqual([
    { run: 'demo', seed: 0, latent: 5, kind: 'ablate', value: 0 },
  ]);
  expect(readChanges('')).toEqual([]);
});
