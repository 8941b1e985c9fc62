/** Two machines that write one store. Against a real S3 server that the tests start. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { bucketStores, large, manifest, shard } from '../../../fixtures/bucketStores.ts';
import { describeBucket } from '../../../fixtures/describeBucket.ts';
import { withLock, workUnderLease } from '../../lock.ts';
import { bringIn, removeStored } from '../bringIn.ts';
import { BucketLock } from './bucketLock.ts';
import type { BucketStore } from './bucketStore.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeBucket('two writers of a store in a bucket', (on) => {
  const { open, close, killed, bucket, place, write, keys, text } = bucketStores(on);

  test('of one file: the second is told, and what the first wrote stays', async () => {
    const [one, two] = [await open('one'), await open('two')];
    await write(one, manifest, '{"by":"one"}');
    await expect(write(two, manifest, '{"by":"two"}')).rejects.toMatchObject({
      code: 'conflict',
      message: `'${on.url}/${manifest}' was changed by another process meanwhile, and that is kept: run this again.`,
    });
    expect(await text(manifest)).toBe('{"by":"one"}');
    // It has the other's by now, and may go on from there.
    expect(readFileSync(place(two, manifest), 'utf8')).toBe('{"by":"one"}');
    await write(two, manifest, '{"by":"two, afterwards"}');
    await expect(write(one, manifest, '{"by":"one again"}')).rejects.toMatchObject({ code: 'conflict' });
    await expect(
      removeStored(place(one, manifest)).then(() => write(two, manifest, '{}')),
    ).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('of different files of one run: both are kept', async () => {
    const [one, two] = [await open('one'), await open('two')];
    await Promise.all([
      write(one, 'runs/a/seed-0/evaluation.json', '{"seed":0}'),
      write(two, 'runs/a/seed-1/evaluation.json', '{"seed":1}'),
    ]);
    expect(await keys()).toEqual(['runs/a/seed-0/evaluation.json', 'runs/a/seed-1/evaluation.json']);
  });

  test('of the same content: both have written it', async () => {
    const [one, two] = [await open('one'), await open('two')];
    await write(one, 'vocabularies/v.json', '["a"]');
    await write(two, 'vocabularies/v.json', '["a"]');
    await close(one);
    await close(two);
    expect(await text('vocabularies/v.json')).toBe('["a"]');
  });

  test('the one that was there first removes nothing of the other', async () => {
    const [one, two] = [await open('one'), await open('two')];
    await write(one, manifest, '{"a":1}');
    await expect(write(two, manifest, '{"a":2}')).rejects.toMatchObject({ code: 'conflict' });
    await write(two, manifest, '{"a":3}');
    await expect(removeStored(place(one, manifest))).rejects.toMatchObject({ code: 'conflict' });
    expect(await text(manifest)).toBe('{"a":3}');
  });

  test('a folder that is locked by another machine is refused, until it is given back', async () => {
    const [one, two] = [await open('one'), await open('two')];
    const held = (store: BucketStore) => place(store, 'runs/a');
    await withLock(held(one), 'training run a', async () => {
      await expect(withLock(held(two), 'training run a', async () => {})).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(
          /'s3:.*runs\/a' is in use by process \d+ on .* \(training run a, since/,
        ) as string,
      });
      await write(one, 'runs/a/run.json', '{"step":1}');
    });
    expect(await keys()).toEqual(['runs/a/run.json']);
    await withLock(held(two), 'training run a', async () => {
      // What the other wrote since this one was opened.
      expect(readFileSync(join(held(two), 'run.json'), 'utf8')).toBe('{"step":1}');
      await write(two, 'runs/a/run.json', '{"step":2}');
    });
    expect(await text('runs/a/run.json')).toBe('{"step":2}');
  });

  test('a lock that nobody renews is taken over, and whoever had it writes nothing more', async () => {
    const one = await open('one', { lockTimes: { renewEvery: 300, staleAfter: 60_000 } });
    let second: BucketLock | undefined;
    await expect(
      withLock(place(one, 'runs/a'), 'training run a', async () => {
        // Of a process of this machine that is no more. Its holder may renew it between the two.
        await vi.waitFor(
          async () => {
            const found = await bucket().text('runs/a/.lock');
            const holder = JSON.parse(found?.text ?? '');
            expect(holder).toHaveProperty('renewed');
            const dead = JSON.stringify({ ...holder, pid: 2 ** 22 + 1, token: 'dead' });
            await bucket().put('runs/a/.lock', dead, { etag: found?.etag ?? '' });
          },
          { timeout: 20_000 },
        );
        second = await BucketLock.take(bucket(), 'runs/a', 'training run a');
        // It is told with the next renewal.
        await new Promise((resolve) => setTimeout(resolve, 2500));
        await write(one, 'runs/a/run.json', '{}');
      }),
    ).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('was taken over') as string,
    });
    expect(await keys()).toEqual(['runs/a/.lock']);
    await second?.release();
    expect(await keys()).toEqual([]);
  });

  test('the lock of an earlier attempt at the same job of a queue is taken over, and no other', async () => {
    const holder = { pid: 7, host: 'elsewhere', what: 'training run a', since: 'today', token: 'x' };
    const left = (folder: string, lease: { job: string; attempt: number }) =>
      bucket().put(`${folder}/.lock`, JSON.stringify({ ...holder, lease }), 'absent');
    await left('runs/a', { job: 'train-1', attempt: 1 });
    await left('runs/b', { job: 'train-1', attempt: 2 });
    await left('runs/c', { job: 'train-2', attempt: 1 });
    const taken = (folder: string) => BucketLock.take(bucket(), folder, 'training');
    await expect(taken('runs/a')).rejects.toMatchObject({ code: 'conflict' });
    workUnderLease('train-1:2');
    const lock = await taken('runs/a');
    expect(JSON.parse((await text('runs/a/.lock')) ?? '')).toMatchObject({
      pid: process.pid,
      lease: { job: 'train-1', attempt: 2 },
    });
    await lock.release();
    for (const folder of ['runs/b', 'runs/c'])
      await expect(taken(folder)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('what stood for a file that another machine removed is not taken for one that was not sent', async () => {
    const one = await open('one');
    await write(one, shard, randomBytes(large));
    await write(one, manifest, '{}');
    // It has never read the shard.
    await close(await open('two'));
    await removeStored(place(one, shard));
    const again = await open('two');
    expect(again.unsent).toBe(0);
    expect(existsSync(place(again, shard))).toBe(false);
    await close(again);
    expect(await keys()).toEqual([manifest]);
  });

  test('what a killed job of a queue had not sent is not sent later, since the job is begun again', async () => {
    const store = await open('one', { isJob: true });
    await write(store, manifest, '{"a":1}');
    await new Promise((resolve) => setTimeout(resolve, 10));
    writeFileSync(place(store, manifest), '{"a":"not sent"}');
    writeFileSync(place(store, 'captures/sea/new.arrow'), 'not sent either');
    killed(store);
    const again = await open('one', { isJob: true });
    expect(again.root).toBe(store.root);
    expect(again.unsent).toBe(0);
    expect(readFileSync(place(again, manifest), 'utf8')).toBe('{"a":1}');
    await close(again);
    expect(await keys()).toEqual([manifest]);
    // Commands of people have another folder, in which such work is kept.
    expect((await open('one')).root).not.toBe(store.root);
  });

  test('blocks of parts are sent, seen by another machine and removed with their folder', async () => {
    const [one, two] = [await open('one'), await open('two')];
    await write(one, 'parts/index-0a/firings-0.safetensors', 'block');
    await write(two, 'parts/index-0a/firings-0.safetensors', 'block');
    await write(two, 'parts/index-0a/firings-1.safetensors', 'other');
    await close(one);
    await close(two);
    const last = await open('three');
    await bringIn(place(last, 'parts/index-0a/firings-1.safetensors'));
    expect(readFileSync(place(last, 'parts/index-0a/firings-1.safetensors'), 'utf8')).toBe('other');
    await removeStored(place(last, 'parts/index-0a'));
    expect(await keys()).toEqual([]);
  });

  test('a lock of another machine counts as left after its time, by the server’s clock', async () => {
    await bucket().put(
      'runs/a/.lock',
      JSON.stringify({ pid: 1, host: 'elsewhere', what: 'training', since: 'then', token: 't' }),
      'absent',
    );
    const usual = { renewEvery: 60_000, staleAfter: 300_000 };
    await expect(BucketLock.take(bucket(), 'runs/a', 'x', usual)).rejects.toMatchObject({
      code: 'conflict',
    });
    // That clock has whole seconds, and its answers may come late.
    const lock = await vi.waitFor(
      () => BucketLock.take(bucket(), 'runs/a', 'x', { ...usual, staleAfter: 1000 }),
      { timeout: 20_000, interval: 500 },
    );
    await lock.release();
    expect(await keys()).toEqual([]);
  });
});
