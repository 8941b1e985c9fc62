/** Against a real S3 server that the tests start; where there is none they are skipped, and say so. */
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
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  bucketName,
  hasS3Server,
  s3Keys,
  startFaultyProxy,
  startS3Server,
  type FaultyProxy,
  type S3Server,
} from '../../../fixtures/s3Server.ts';
import { writeFileAtomic } from '../../atomicWrite.ts';
import { StoreLayout } from '../../layout.ts';
import { withLock, workUnderLease } from '../../lock.ts';
import { bringIn, mountRemote, removeStored } from '../bringIn.ts';
import { CachedStore } from '../cachedStore.ts';
import { fetchStore } from '../fetchStore.ts';
import { Bucket } from './bucket.ts';
import { parseBucketAddress } from './bucketAddress.ts';
import { BucketLock } from './bucketLock.ts';
import { BucketSource } from './bucketSource.ts';
import { BucketStore, type BucketStoreOptions } from './bucketStore.ts';
import { tryConditions } from './tryConditions.ts';
import { uploadStore } from './uploadStore.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const large = 3_000_000;
const shard = 'captures/sea/blocks.0/00000.arrow';
const manifest = 'captures/sea/capture.json';

describe.skipIf(!hasS3Server)(
  hasS3Server
    ? 'a store in a bucket'
    : 'a store in a bucket: SKIPPED, no versitygw (.ci/versitygw builds it)',
  () => {
    let server: S3Server;
    let proxy: FaultyProxy;
    let folder: string;
    let url: string;
    let opened: { store: BucketStore; unmount: () => void }[] = [];
    let prefixes = 0;

    beforeAll(async () => {
      Object.assign(process.env, s3Keys);
      server = await startS3Server();
      proxy = await startFaultyProxy(server.endpoint);
    });
    afterAll(async () => {
      await proxy.close();
      await server.stop();
    });
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'lazyscope-bucket-'));
      // A prefix with a space, letters of other alphabets, and what would have to be escaped in an address.
      url = `s3://${bucketName}/sea ${++prefixes}/Größe%20+é`;
      proxy.fault = () => undefined;
      proxy.requests.length = 0;
    });
    afterEach(async () => {
      proxy.fault = () => undefined;
      for (const { store, unmount } of opened) {
        await store.close().catch(() => {});
        unmount();
      }
      opened = [];
      await rm(folder, { recursive: true, force: true });
    });

    async function open(machine = 'one', options: Partial<BucketStoreOptions> = {}) {
      const store = await BucketStore.open({
        url,
        endpoint: proxy.endpoint,
        caches: join(folder, machine),
        mostBytes: 1e9,
        firstWait: 1,
        patience: 5_000,
        ...options,
      });
      opened.push({ store, unmount: mountRemote(store) });
      return store;
    }

    async function close(store: BucketStore) {
      const at = opened.findIndex((one) => one.store === store);
      const [one] = opened.splice(at, 1);
      try {
        await store.close();
      } finally {
        one.unmount();
      }
    }

    /** As a killed process does: nothing is sent any more, and its lock on the cache is stale. */
    function killed(store: BucketStore) {
      const [one] = opened.splice(
        opened.findIndex((each) => each.store === store),
        1,
      );
      one.unmount();
      const lock = join(dirname(store.root), '.lock');
      const holder = JSON.parse(readFileSync(lock, 'utf8'));
      writeFileSync(lock, JSON.stringify({ ...holder, pid: 2 ** 22 + 1 }));
    }

    const bucket = () => new Bucket(parseBucketAddress(url), { endpoint: server.endpoint, firstWait: 1 });
    const place = (store: BucketStore, name: string) => join(store.root, name);
    const write = (store: BucketStore, name: string, content: string | Uint8Array) =>
      writeFileAtomic(place(store, name), content);
    const keys = async () => (await bucket().list()).map(({ key }) => key).sort();
    const text = async (name: string) => (await bucket().text(name))?.text;
    const puts = () =>
      proxy.requests
        .filter((one) => one.startsWith('PUT') && !one.includes('/.'))
        .map((one) => decodeURIComponent(one.split(' ')[1]).split('é/')[1]);

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
        proxy.requests
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
      expect(proxy.requests.filter((one) => /^PUT .*capture\.json if "/.test(one))).toHaveLength(1);
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
        message: `'models/my model/weights.bin' can't be kept in '${url}': names there have letters, digits and . _ + = @ - and don't begin with a dot; rename it.`,
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
      expect(existsSync(join(folder, 'escaped.json'))).toBe(false);
    });

    test('large objects go in parts, with the same checksum and under the same condition', async () => {
      const store = await open('one', { partBytes: 5 << 20 });
      const content = randomBytes(12 << 20);
      await write(store, shard, content);
      await write(store, manifest, '{}');
      const other = await open('two');
      await bringIn(place(other, shard));
      expect(readFileSync(place(other, shard)).equals(content)).toBe(true);
      expect(proxy.requests.filter((one) => /^PUT .*00000\.arrow/.test(one))).toHaveLength(3);
      const late = await open('three', { partBytes: 5 << 20 });
      await write(store, shard, randomBytes(11 << 20));
      await write(store, manifest, '{"a":1}');
      await expect(
        write(late, shard, randomBytes(10 << 20)).then(() => write(late, manifest, '{"b":1}')),
      ).rejects.toMatchObject({ code: 'conflict' });
      expect((await bucket().head(shard))?.bytes).toBe(11 << 20);
    });

    describe('two writers', () => {
      test('of one file: the second is told, and what the first wrote stays', async () => {
        const [one, two] = [await open('one'), await open('two')];
        await write(one, manifest, '{"by":"one"}');
        await expect(write(two, manifest, '{"by":"two"}')).rejects.toMatchObject({
          code: 'conflict',
          message: `'${url}/${manifest}' was changed by another process meanwhile, and that is kept: run this again.`,
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

    describe('when something fails', () => {
      test('a server that asks to wait is asked again then, and not before', async () => {
        let turnedAway = 0;
        proxy.fault = ({ method }) =>
          method === 'GET' && turnedAway++ < 2
            ? { status: 503, headers: { 'retry-after': '1' }, body: '<Error><Code>SlowDown</Code></Error>' }
            : undefined;
        const began = performance.now();
        await open();
        expect(performance.now() - began).toBeGreaterThan(1990);
        expect(turnedAway).toBe(3);
      });

      test('a server that goes on failing is named, in one sentence', async () => {
        proxy.fault = () => ({ status: 503, body: 'no XML at all' });
        await expect(open()).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringMatching(
            /^'127\.0\.0\.1:\d+' answered 503 for 's3:[^\n]*' again and again: try again later\.$/,
          ) as string,
        });
        expect(proxy.requests).toHaveLength(7);
      });

      test('keys that may not do it are not tried again, and are in no message', async () => {
        proxy.fault = () => ({
          status: 403,
          headers: { 'content-type': 'application/xml' },
          body: '<Error><Code>AccessDenied</Code><Message>no</Message></Error>',
        });
        const error = await open().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: 'unavailable',
          message: expect.stringContaining('(AccessDenied): check the keys') as string,
        });
        expect(String(error)).not.toMatch(/lazyscope-tests|a-secret/);
        expect(proxy.requests).toHaveLength(1);
      });

      test('wrong keys, a bucket that is not there and a server that is not there are told apart', async () => {
        await expect(open('one', { url: 's3://no-such-bucket/x' })).rejects.toMatchObject({
          code: 'not_found',
          message: `There is no bucket for 's3://no-such-bucket/x' on '${proxy.endpoint.slice(7)}': create it first.`,
        });
        process.env['AWS_SECRET_ACCESS_KEY'] = 'another';
        try {
          await expect(open()).rejects.toMatchObject({
            message: expect.stringContaining('SignatureDoesNotMatch') as string,
          });
        } finally {
          Object.assign(process.env, s3Keys);
        }
        await expect(open('one', { endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
          code: 'unavailable',
          message: "'127.0.0.1:1' can't be reached (ECONNREFUSED): check the address and the network.",
        });
      });

      test('a body that ends early is gone on with, from where it ended', async () => {
        const one = await open();
        await write(one, shard, randomBytes(large));
        await write(one, manifest, '{}');
        const two = await open('two');
        proxy.requests.length = 0;
        let halved = 0;
        proxy.fault = ({ method, url: path }) =>
          method === 'GET' && path?.includes('00000') && halved++ < 2 ? 'halved' : undefined;
        await bringIn(place(two, shard));
        expect(readFileSync(place(two, shard)).equals(readFileSync(place(one, shard)))).toBe(true);
        const asked = proxy.requests.map((one) => one.split('é/')[1] ?? one);
        expect(asked).toHaveLength(3);
        expect(asked[2]).toMatch(/bytes=\d{6,}- if "/);
      });

      test('a changed byte is noticed by the checksum, and nothing of it is left to be read', async () => {
        const one = await open();
        await write(one, shard, randomBytes(large));
        await write(one, manifest, '{}');
        const two = await open('two');
        proxy.fault = ({ url: path }) => (path?.includes('00000') ? 'flipped' : undefined);
        await expect(bringIn(place(two, shard))).rejects.toMatchObject({
          code: 'corrupt',
          message: `'${url}/${shard}' is not what was written there (its checksum is another): put it there again from a copy, or remove it and make it again.`,
        });
        expect(readFileSync(place(two, shard)).subarray(0, 9).toString()).toBe('lazyscope');
        proxy.fault = () => undefined;
        await bringIn(place(two, shard));
        expect(readFileSync(place(two, shard)).equals(readFileSync(place(one, shard)))).toBe(true);
      });

      test('an answer that was lost makes no conflict: what is there is what was sent', async () => {
        const store = await open();
        await write(store, 'runs/b/run.json', '{}');
        let lost = 0;
        proxy.fault = ({ method, url: path }) =>
          method === 'PUT' && path?.includes('capture.json') && lost++ === 0 ? 'lost answer' : undefined;
        await write(store, manifest, '{"a":1}');
        expect(lost).toBe(2);
        expect(await text(manifest)).toBe('{"a":1}');
      });

      test('a server that is gone in the middle of sending: the next process sends what is missing', async () => {
        const store = await open();
        await write(store, 'captures/sea/tokens.arrow', 'tokens');
        await write(store, 'captures/sea/capture.json', '{"status":"partial"}');
        await server.kill();
        const content = randomBytes(large);
        await expect(
          write(store, shard, content).then(() => write(store, manifest, '{"status":"complete"}')),
        ).rejects.toMatchObject({ code: 'unavailable' });
        await close(store).catch(() => {});
        await server.start();
        // The manifest doesn't vouch for what isn't there.
        expect(await text(manifest)).toBe('{"status":"partial"}');
        const again = await open();
        expect(again.unsent).toBeGreaterThan(0);
        await close(again);
        const other = await open('two');
        await bringIn(place(other, shard));
        expect(readFileSync(place(other, shard)).equals(content)).toBe(true);
      });

      test('a process that is killed while it sends: the next one goes on with what is on this disk', async () => {
        const store = await open();
        await write(store, manifest, '{"status":"partial"}');
        proxy.fault = ({ method, url: path }) =>
          method === 'PUT' && path?.includes('00000') ? 'cut' : undefined;
        const content = randomBytes(large);
        void write(store, shard, content).catch(() => {});
        await vi.waitFor(() => expect(proxy.requests.some((one) => one.includes('00000'))).toBe(true), {
          timeout: 20_000,
        });
        killed(store);
        proxy.fault = () => undefined;
        const again = await open();
        expect(again.root).toBe(store.root);
        expect(readFileSync(place(again, shard)).equals(content)).toBe(true);
        await close(again);
        expect((await bucket().head(shard))?.bytes).toBe(large);
      });

      test('what another machine has changed since is not overwritten by what a killed process left', async () => {
        const store = await open();
        await write(store, manifest, '{"a":1}');
        await new Promise((resolve) => setTimeout(resolve, 10));
        writeFileSync(place(store, manifest), '{"a":"not sent"}');
        killed(store);
        const other = await open('two');
        await write(other, manifest, '{"a":2}');
        const again = await open();
        expect(readFileSync(place(again, manifest), 'utf8')).toBe('{"a":2}');
        await close(again);
        expect(await text(manifest)).toBe('{"a":2}');
      });

      test('a server that ignores conditions is refused before anything is written', async () => {
        const objects = new Map<string, string>();
        const careless = createServer((request, response) => {
          const path = request.url?.split('?')[0] ?? '';
          if (request.method === 'PUT') objects.set(path, 'x');
          if (request.method === 'DELETE') objects.delete(path);
          request
            .resume()
            .on('end', () =>
              response.writeHead(request.method === 'DELETE' ? 204 : 200, { etag: '"x"' }).end(),
            );
        });
        await new Promise<void>((resolve) => careless.listen(0, '127.0.0.1', resolve));
        const endpoint = `http://127.0.0.1:${(careless.address() as AddressInfo).port}`;
        try {
          await expect(
            tryConditions(new Bucket(parseBucketAddress('s3://studies/x'), { endpoint })),
          ).rejects.toMatchObject({
            code: 'unavailable',
            message: expect.stringContaining(
              'ignores the conditions under which files are written',
            ) as string,
          });
          expect([...objects]).toEqual([]);
        } finally {
          careless.closeAllConnections();
          careless.close();
        }
      });
    });

    describe('the cache', () => {
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
        proxy.requests.length = 0;
        const again = await open();
        expect(again.root).toBe(one.root);
        await bringIn(place(again, shard));
        expect(proxy.requests.filter((each) => each.includes('00000'))).toEqual([]);
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

    test('a reader that stays open sees what is written meanwhile', async () => {
      const writer = await open();
      await write(writer, shard, 'rows');
      await write(writer, manifest, '{"a":1}');
      const source = new BucketSource(bucket());
      const reader = await CachedStore.of({
        source,
        caches: join(folder, 'two'),
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
      const data = join(folder, 'data');
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
      const through = new Bucket(parseBucketAddress(url), { endpoint: proxy.endpoint, firstWait: 1 });
      const store = new StoreLayout(data);
      expect(await uploadStore({ bucket: through, store })).toMatchObject({
        url,
        files: 2,
        kept: 0,
        bytes: 6,
      });
      expect(puts()).toEqual([shard, manifest]);
      expect(await uploadStore({ bucket: through, store })).toMatchObject({ files: 2, kept: 2 });
      expect(puts()).toHaveLength(2);

      const copy = new StoreLayout(join(folder, 'copy'));
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
  },
);
