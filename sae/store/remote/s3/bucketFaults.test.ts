/** Servers, keys, networks and processes that fail. Against a real S3 server that the tests start. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { bucketStores, large, manifest, shard } from '../../../fixtures/bucketStores.ts';
import { describeBucket } from '../../../fixtures/describeBucket.ts';
import { s3Keys } from '../../../fixtures/s3Server.ts';
import { bringIn } from '../bringIn.ts';
import { Bucket } from './bucket.ts';
import { parseBucketAddress } from './bucketAddress.ts';
import { tryConditions } from './tryConditions.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeBucket('when something fails on the way to a bucket', (on) => {
  const { open, close, killed, bucket, place, write, text } = bucketStores(on);

  test('a server that asks to wait is asked again then, and not before', async () => {
    let turnedAway = 0;
    on.proxy.fault = ({ method }) =>
      method === 'GET' && turnedAway++ < 2
        ? { status: 503, headers: { 'retry-after': '1' }, body: '<Error><Code>SlowDown</Code></Error>' }
        : undefined;
    const began = performance.now();
    await open();
    expect(performance.now() - began).toBeGreaterThan(1990);
    expect(turnedAway).toBe(3);
  });

  test('a server that goes on failing is named, in one sentence', async () => {
    on.proxy.fault = () => ({ status: 503, body: 'no XML at all' });
    await expect(open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^'127\.0\.0\.1:\d+' answered 503 for 's3:[^\n]*' again and again: try again later\.$/,
      ) as string,
    });
    expect(on.proxy.requests).toHaveLength(7);
  });

  test('keys that may not do it are not tried again, and are in no message', async () => {
    on.proxy.fault = () => ({
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
    expect(on.proxy.requests).toHaveLength(1);
  });

  test('wrong keys, a bucket that is not there and a server that is not there are told apart', async () => {
    await expect(open('one', { url: 's3://no-such-bucket/x' })).rejects.toMatchObject({
      code: 'not_found',
      message: `There is no bucket for 's3://no-such-bucket/x' on '${on.proxy.endpoint.slice(7)}': create it first.`,
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
    on.proxy.requests.length = 0;
    let halved = 0;
    on.proxy.fault = ({ method, url: path }) =>
      method === 'GET' && path?.includes('00000') && halved++ < 2 ? 'halved' : undefined;
    await bringIn(place(two, shard));
    expect(readFileSync(place(two, shard)).equals(readFileSync(place(one, shard)))).toBe(true);
    const asked = on.proxy.requests.map((one) => one.split('é/')[1] ?? one);
    expect(asked).toHaveLength(3);
    expect(asked[2]).toMatch(/bytes=\d{6,}- if "/);
  });

  test('a changed byte is noticed by the checksum, and nothing of it is left to be read', async () => {
    const one = await open();
    await write(one, shard, randomBytes(large));
    await write(one, manifest, '{}');
    const two = await open('two');
    on.proxy.fault = ({ url: path }) => (path?.includes('00000') ? 'flipped' : undefined);
    await expect(bringIn(place(two, shard))).rejects.toMatchObject({
      code: 'corrupt',
      message: `'${on.url}/${shard}' is not what was written there (its checksum is another): put it there again from a copy, or remove it and make it again.`,
    });
    expect(readFileSync(place(two, shard)).subarray(0, 9).toString()).toBe('lazyscope');
    on.proxy.fault = () => undefined;
    await bringIn(place(two, shard));
    expect(readFileSync(place(two, shard)).equals(readFileSync(place(one, shard)))).toBe(true);
  });

  test('an answer that was lost makes no conflict: what is there is what was sent', async () => {
    const store = await open();
    await write(store, 'runs/b/run.json', '{}');
    let lost = 0;
    on.proxy.fault = ({ method, url: path }) =>
      method === 'PUT' && path?.includes('capture.json') && lost++ === 0 ? 'lost answer' : undefined;
    await write(store, manifest, '{"a":1}');
    expect(lost).toBe(2);
    expect(await text(manifest)).toBe('{"a":1}');
  });

  test('a server that is gone in the middle of sending: the next process sends what is missing', async () => {
    const store = await open();
    await write(store, 'captures/sea/tokens.arrow', 'tokens');
    await write(store, 'captures/sea/capture.json', '{"status":"partial"}');
    await on.server.kill();
    const content = randomBytes(large);
    await expect(
      write(store, shard, content).then(() => write(store, manifest, '{"status":"complete"}')),
    ).rejects.toMatchObject({ code: 'unavailable' });
    await close(store).catch(() => {});
    await on.server.start();
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
    on.proxy.fault = ({ method, url: path }) =>
      method === 'PUT' && path?.includes('00000') ? 'cut' : undefined;
    const content = randomBytes(large);
    void write(store, shard, content).catch(() => {});
    await vi.waitFor(() => expect(on.proxy.requests.some((one) => one.includes('00000'))).toBe(true), {
      timeout: 20_000,
    });
    killed(store);
    on.proxy.fault = () => undefined;
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
        .on('end', () => response.writeHead(request.method === 'DELETE' ? 204 : 200, { etag: '"x"' }).end());
    });
    await new Promise<void>((resolve) => careless.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(careless.address() as AddressInfo).port}`;
    try {
      await expect(
        tryConditions(new Bucket(parseBucketAddress('s3://studies/x'), { endpoint })),
      ).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('ignores the conditions under which files are written') as string,
      });
      expect([...objects]).toEqual([]);
    } finally {
      careless.closeAllConnections();
      careless.close();
    }
  });
});
