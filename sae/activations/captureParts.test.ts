/** A capture in parts is, to the byte, the capture that one process makes, however many parts there are and whatever became of them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { letterCapture as options } from '../fixtures/letterCapture.ts';
import { madeFiles } from '../fixtures/madeFiles.ts';
import { StoreLayout } from '../store/layout.ts';
import { capture } from './capture.ts';
import { capturePart } from './captureParts.ts';

const folders: string[] = [];
async function newStore(): Promise<StoreLayout> {
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-parts-'));
  folders.push(folder);
  return new StoreLayout(folder);
}
let expected: Record<string, string>;
beforeAll(async () => {
  const store = await newStore();
  await capture(options(store));
  expected = await madeFiles(store.root);
  // Shards of two hook points, tokens, vocabulary, manifest, and where this machine has the model.
  expect(Object.keys(expected)).toHaveLength(2 * 7 + 4);
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

const same = async (store: StoreLayout) => expect(await madeFiles(store.root)).toEqual(expected);

describe('a capture in parts', () => {
  test.each([1, 2, 3, 5, 9])('%d parts, the last first', async (of) => {
    const store = await newStore();
    let blocks = 0;
    for (let number = of; number >= 1; number--) {
      const done = await capturePart(options(store), { number, of });
      expect(done.made).toBe(done.blocks);
      blocks += done.blocks;
    }
    expect(blocks).toBe(7);
    // Nothing is run any more: every shard is there.
    const idle = { ...options(store), report: () => expect.unreachable('a shard was computed again') };
    await capture(idle);
    await same(store);
  });

  test('a part that is stopped goes on where it was, and one that is repeated makes nothing anew', async () => {
    const store = await newStore();
    const stopping = new AbortController();
    const part = { number: 1, of: 2 };
    const stopped = capturePart(
      { ...options(store), signal: stopping.signal, report: ({ done }) => done > 1 && stopping.abort() },
      part,
    );
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    expect(await capturePart(options(store), part)).toEqual({ blocks: 4, made: 3 });
    expect(await capturePart(options(store), part)).toEqual({ blocks: 4, made: 0 });
    await capture(options(store));
    await same(store);
  });

  test('parts of several numbers share what they made; what is missing or damaged is computed', async () => {
    const store = await newStore();
    await capturePart(options(store), { number: 1, of: 3 });
    expect(await capturePart(options(store), { number: 1, of: 1 })).toEqual({ blocks: 7, made: 4 });
    const [folder] = await readdir(store.parts());
    const left = store.partsOf(folder);
    await truncate(join(left, 'blocks.0.hook_resid_post', '00002.arrow'), 100);
    await rm(join(left, 'shard-00005.json'));
    await capture(options(store));
    await same(store);
    expect(existsSync(store.parts())).toBe(false);
  });

  test('a capture that was begun is finished from parts, also by two that take turns', async () => {
    const store = await newStore();
    const stopping = new AbortController();
    const begun = capture({
      ...options(store),
      signal: stopping.signal,
      report: ({ done }) => done >= 33 * 16 && stopping.abort(),
    });
    await expect(begun).rejects.toMatchObject({ code: 'cancelled' });
    const { blocks } = await capturePart(options(store), { number: 2, of: 2 });
    expect(blocks).toBeLessThan(3);
    await capture(options(store));
    await same(store);
  });

  test('what is of another configuration is not taken', async () => {
    const store = await newStore();
    for (const number of [1, 2])
      await capturePart({ ...options(store), dtype: 'float32' }, { number, of: 2 });
    await capture(options(store));
    for (const [path, sum] of Object.entries(await madeFiles(store.captures())))
      expect([path, sum]).toEqual([path, expected[`captures/${path}`]]);
    await expect(
      capturePart({ ...options(store), dtype: 'float32' }, { number: 1, of: 2 }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });
});
