/** What is sent into a bucket, and what comes back. Against a real S3 server that the tests start. */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { bucketStores, large, manifest, shard } from '../../../fixtures/bucketStores.ts';
import { describeBucket } from '../../../fixtures/describeBucket.ts';
import { StoreLayout } from '../../layout.ts';
import { bringIn, removeStored } from '../bringIn.ts';
import { CachedStore } from '../cachedStore.ts';
import { fetchStore } from '../fetchStore.ts';
import { Bucket } from './bucket.ts';
import { parseBucketAddress } from './bucketAddress.ts';
import { BucketSource } from './bucketSource.ts';
import { uploadStore } from './uploadStore.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeBucket('a store in a bucket', (on) => {
  const { open, close, bucket, place, write, keys, text, puts } = bucketStores(on);

  test('what takes its name is sent, data first and the manifest last, and another machine reads it', async () => {
    const store = await open();
    const content = randomBytes(large);
    await write(store, shard, content);
    await write(store, 'captures/sea/tokens.arrow', 'tokens');
    // Appended to by other means than a rename.
    writeFileSync(place(store, 'captures/sea/metrics.arrow'), 'first');
    await write(store, manifest, '{}');
    expect(puts().at(-1)).toBe(manifest);
    expect(puts().slice(0, -1).sort()).toEqual([
      shard,
      'captures/sea/metrics.arrow',
      'captures/sea/tokens.arrow',
    ]);
    expect(
      on.proxy.requests
        .filter((one) => one.startsWith('PUT') && !one.includes('/.'))
        .every((one) => one.endsWith('unless *')),
    ).toBe(true);

    const other = await open('two');
    expect(readFileSync(place(other, manifest), 'utf8')).toBe('{}');
    // There and of its size, without its content.
    expect(statSync(place(other, shard)).size).toBe(large);
    expect(readFileSync(place(other, shard)).equals(content)).toBe(false);
    await bringIn(place(other, shard));
    expect(readFileSync(place(other, shard)).equals(content)).toBe(true);
  });

  test('a checkpoint is sent after the metrics whose length it says', async () => {
    const store = await open();
    mkdirSync(place(store, 'runs/a'), { recursive: true });
    writeFileSync(place(store, 'runs/a/metrics.arrow'), randomBytes(large));
    await write(store, 'runs/a/checkpoints/step-5.safetensors', 'state');
    expect(puts()).toEqual(['runs/a/metrics.arrow', 'runs/a/checkpoints/step-5.safetensors']);
  });

  test('a file that was changed is sent again under the condition that nobody else changed it', async () => {
    const store = await open();
    await write(store, manifest, '{"a":1}');
    await write(store, manifest, '{"a":2}');
    expect(await text(manifest)).toBe('{"a":2}');
    expect(on.proxy.requests.filter((one) => /^PUT .*capture\.json if "/.test(one))).toHaveLength(1);
    // Unchanged, it is not sent.
    const before = puts().length;
    await close(store);
    expect(puts()).toHaveLength(before);
  });

  test('what is removed is removed there, by name or with its folder', async () => {
    const store = await open();
    await write(store, shard, 'rows');
    await write(store, manifest, '{}');
    await removeStored(place(store, manifest));
    expect(await keys()).toEqual([shard]);
    await write(store, 'captures/sea/tokens.arrow', 'tokens');
    await removeStored(place(store, 'captures/sea'));
    await close(store);
    expect(await keys()).toEqual([]);
  });

  test('files that somebody removes from the cache are fetched again, not removed from the store', async () => {
    const store = await open();
    await write(store, shard, 'rows');
    await write(store, manifest, '{}');
    await rm(store.root, { recursive: true });
    await close(store);
    expect(await keys()).toEqual([shard, manifest].sort());
    const again = await open();
    await bringIn(place(again, shard));
    expect(readFileSync(place(again, shard), 'utf8')).toBe('rows');
  });

  test('hidden files and those beside the folders stay on this machine, and a name that can’t be kept is refused', async () => {
    const store = await open();
    await write(store, 'captures/sea/.half.partial', 'x');
    await write(store, 'manifest-index.json', '{}');
    await write(store, 'launches/1/launch.json', '{}');
    await expect(write(store, 'models/my model/weights.bin', 'x')).rejects.toMatchObject({
      code: 'bad_input',
      message: `'models/my model/weights.bin' can't be kept in '${on.url}': names there have letters, digits and . _ + = @ - and don't begin with a dot; rename it.`,
    });
    expect(existsSync(place(store, 'models/my model/weights.bin'))).toBe(false);
    // A folder that takes its name with all that is in it.
    await mkdir(place(store, 'models/.get'), { recursive: true });
    writeFileSync(place(store, 'models/.get/weights.bin'), 'x');
    writeFileSync(place(store, 'models/.get/my weights.bin'), 'x');
    await rename(place(store, 'models/.get'), place(store, 'models/mine'));
    await expect(close(store)).rejects.toMatchObject({
      code: 'bad_input',
      message: expect.stringContaining("'models/mine/my weights.bin'") as string,
    });
    expect(await keys()).toEqual(['models/mine/weights.bin']);
    // The next command is not kept from its work by it.
    await close(await open());
  });

  test('keys that lead out of the folder, or can name no file of a store, are never written to this disk', async () => {
    const there = bucket();
    for (const key of ['runs/../../escaped.json', 'runs/a b/run.json', 'runs/a/run.json', 'notes.json'])
      await there.put(key, '{}', 'absent').catch(() => {});
    const source = new BucketSource(there);
    expect((await source.files()).map(({ path }) => path)).toEqual(['runs/a/run.json']);
    expect(source.leftOut).toContain('runs/a b/run.json');
    const store = await open();
    expect(readdirSync(store.root, { recursive: true })).toEqual(
      ['runs', 'runs/a', 'runs/a/run.json'].map(String),
    );
    expect(existsSync(join(on.folder, 'escaped.json'))).toBe(false);
  });

  test('large objects go in parts, with the same checksum and under the same condition', async () => {
    const store = await open('one', { partBytes: 5 << 20 });
    const content = randomBytes(12 << 20);
    await write(store, shard, content);
    await write(store, manifest, '{}');
    const other = await open('two');
    await bringIn(place(other, shard));
    expect(readFileSync(place(other, shard)).equals(content)).toBe(true);
    expect(on.proxy.requests.filter((one) => /^PUT .*00000\.arrow/.test(one))).toHaveLength(3);
    const late = await open('three', { partBytes: 5 << 20 });
    await write(store, shard, randomBytes(11 << 20));
    await write(store, manifest, '{"a":1}');
    await expect(
      write(late, shard, randomBytes(10 << 20)).then(() => write(late, manifest, '{"b":1}')),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect((await bucket().head(shard))?.bytes).toBe(11 << 20);
  });

  test('a reader that stays open sees what is written meanwhile', async () => {
    const writer = await open();
    await write(writer, shard, 'rows');
    await write(writer, manifest, '{"a":1}');
    const source = new BucketSource(bucket());
    const reader = await CachedStore.of({
      source,
      caches: join(on.folder, 'two'),
      mostBytes: 1e9,
      purpose: 'read',
    });
    try {
      const at = (name: string) => join(reader.root, name);
      await reader.bringIn(at(shard));
      expect(await reader.refresh()).toBe(false);
      await write(writer, shard, 'other rows');
      await write(writer, manifest, '{"a":2}');
      await write(writer, 'runs/a/run.json', '{}');
      expect(await reader.refresh()).toBe(true);
      expect(readFileSync(at(manifest), 'utf8')).toBe('{"a":2}');
      expect(readFileSync(at('runs/a/run.json'), 'utf8')).toBe('{}');
      await reader.bringIn(at(shard));
      expect(readFileSync(at(shard), 'utf8')).toBe('other rows');
      await removeStored(place(writer, 'runs/a/run.json'));
      await reader.refresh();
      expect(existsSync(at('runs/a/run.json'))).toBe(false);
    } finally {
      await reader.close();
    }
  });

  test('a folder is uploaded, manifests last, and copied back; uploaded again, nothing is sent', async () => {
    const data = join(on.folder, 'data');
    for (const [name, content] of [
      [manifest, '{}'],
      [shard, 'rows'],
      ['runs/a/checkpoints/step-5.safetensors', 'unfinished'],
      ['lazyscope.duckdb', 'the log of jobs'],
    ]) {
      mkdirSync(dirname(join(data, name)), { recursive: true });
      writeFileSync(join(data, name), content);
      utimesSync(join(data, name), 1, 1);
    }
    const through = new Bucket(parseBucketAddress(on.url), { endpoint: on.proxy.endpoint, firstWait: 1 });
    const store = new StoreLayout(data);
    expect(await uploadStore({ bucket: through, store })).toMatchObject({
      url: on.url,
      files: 2,
      kept: 0,
      bytes: 6,
    });
    expect(puts()).toEqual([shard, manifest]);
    expect(await uploadStore({ bucket: through, store })).toMatchObject({ files: 2, kept: 2 });
    expect(puts()).toHaveLength(2);

    const copy = new StoreLayout(join(on.folder, 'copy'));
    const source = new BucketSource(bucket());
    await mkdir(copy.root);
    expect(await fetchStore({ source, store: copy })).toMatchObject({ files: 2, kept: 0 });
    expect(readFileSync(join(copy.root, shard), 'utf8')).toBe('rows');
    expect(await fetchStore({ source, store: copy })).toMatchObject({ files: 2, kept: 2 });
    writeFileSync(join(data, shard), 'ROWS');
    await expect(uploadStore({ bucket: through, store })).rejects.toMatchObject({ code: 'conflict' });
    writeFileSync(join(copy.root, shard), 'ROWS');
    await expect(fetchStore({ source, store: copy })).rejects.toMatchObject({ code: 'conflict' });
  });
});
