/** What this disk keeps of a store in a bucket. Against a real S3 server that the tests start. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { bucketStores, large, manifest, shard } from '../../../fixtures/bucketStores.ts';
import { describeBucket } from '../../../fixtures/describeBucket.ts';
import { bringIn } from '../bringIn.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeBucket('the cache of a store in a bucket', (on) => {
  const { open, close, place, write, keys } = bucketStores(on);

  test('has a limit below the size of the store: what was not used for longest makes room', async () => {
    const one = await open();
    const names = [0, 1, 2].map((n) => `captures/sea/h/0000${n}.arrow`);
    for (const name of names) await write(one, name, randomBytes(large));
    await write(one, manifest, '{}');
    const two = await open('two', { mostBytes: 2 * large + 1000, staysFor: 0 });
    const filled = () =>
      names.map((name) => readFileSync(place(two, name)).equals(readFileSync(place(one, name))));
    for (const name of names) {
      await bringIn(place(two, name));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(filled()).toEqual([false, true, true]);
    // Those that a reader holds stay, and what doesn't fit beside them is refused.
    const release = await two.hold([place(two, names[1]), place(two, names[2])]);
    await expect(bringIn(place(two, names[0]))).rejects.toMatchObject({
      code: 'no_space',
      message: expect.stringContaining('give more with LAZYSCOPE_CACHE_SIZE') as string,
    });
    release();
    await bringIn(place(two, names[0]));
    expect(filled().filter(Boolean)).toHaveLength(2);
  });

  test('never lets go what this process has written, which it may have open', async () => {
    const store = await open('one', { mostBytes: large + 1000, staysFor: 0 });
    const names = [0, 1].map((n) => `captures/sea/h/0000${n}.arrow`);
    for (const name of names) await write(store, name, randomBytes(large));
    await write(store, manifest, '{}');
    for (const name of names)
      expect(readFileSync(place(store, name)).subarray(0, 9).toString()).not.toBe('lazyscope');
  });

  test('is one for each process of a machine, and used again by the next', async () => {
    const [one, two] = [await open(), await open()];
    expect(one.root).not.toBe(two.root);
    await write(one, shard, 'rows');
    await close(one);
    on.proxy.requests.length = 0;
    const again = await open();
    expect(again.root).toBe(one.root);
    await bringIn(place(again, shard));
    expect(on.proxy.requests.filter((each) => each.includes('00000'))).toEqual([]);
  });

  test('that another version left, or a damaged record, is not believed', async () => {
    const one = await open();
    await write(one, shard, 'rows');
    await close(one);
    writeFileSync(join(dirname(one.root), 'fetched.json'), '{"version":99}');
    writeFileSync(place(one, 'captures/sea/left.arrow'), 'of another version');
    const again = await open();
    expect(existsSync(place(again, 'captures/sea/left.arrow'))).toBe(false);
    await bringIn(place(again, shard));
    expect(readFileSync(place(again, shard), 'utf8')).toBe('rows');
    await close(again);
    expect(await keys()).toEqual([shard]);
  });
});
