import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KernelCompiler } from './kernelCompiler.ts';
import { KernelImages } from './kernelImages.ts';
import type { KernelSource } from './kernelSource.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'lazyscope-cuda-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Its image is everything that went into it. */
const compilerFor = (identity: string): KernelCompiler => ({
  identity,
  compile: ({ text, headers }, define) =>
    Buffer.from([identity, text, ...headers.values(), JSON.stringify(define)].join('|')),
});
const source = (text: string, header = 'h'): KernelSource => ({
  file: 'a.cu',
  text,
  headers: new Map([['a.cuh', header]]),
  kernels: new Map(),
});
const images = (identity = 'compiler 1') => new KernelImages(compilerFor(identity), join(folder, 'cache'));
const entry = () => join(folder, 'cache', readdirSync(join(folder, 'cache'))[0]);

test('a second process finds what the first compiled', () => {
  const [first, second] = [images(), images()];
  const image = first.image(source('k'), { N: 1 });
  expect(second.image(source('k'), { N: 1 })).toEqual(image);
  expect([first.compiled, second.compiled]).toEqual([1, 0]);
});

test('source, header, definition and compiler each make another entry; their order does not', () => {
  images().image(source('k'), { A: 1, B: 2 });
  for (const [from, given, define] of [
    [images(), source('other'), { A: 1, B: 2 }],
    [images(), source('k', 'other'), { A: 1, B: 2 }],
    [images(), source('k'), { A: 1, B: 3 }],
    [images('compiler 2'), source('k'), { A: 1, B: 2 }],
  ] as const) {
    from.image(given, define);
    expect(from.compiled).toBe(1);
  }
  const again = images();
  again.image(source('k'), { B: 2, A: 1 });
  expect(again.compiled).toBe(0);
});

test.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2)],
  ['empty', () => Buffer.alloc(0)],
  [
    'changed in one bit',
    (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))),
  ],
])('an entry that is %s is compiled again', (_, damage) => {
  const image = images().image(source('k'), {});
  writeFileSync(entry(), damage(readFileSync(entry())));
  const next = images();
  expect(next.image(source('k'), {})).toEqual(image);
  expect(next.compiled).toBe(1);
  const last = images();
  last.image(source('k'), {});
  expect(last.compiled).toBe(0);
});

test('what the driver refused is compiled again', () => {
  const kept = images();
  kept.image(source('k'), {});
  kept.image(source('k'), {}, { fresh: true });
  expect(kept.compiled).toBe(2);
});

test('a cache that cannot be written is an error that names it', () => {
  writeFileSync(join(folder, 'cache'), 'a file, not a folder');
  expect(() => images().image(source('k'), {})).toThrow(/XDG_CACHE_HOME/);
});
