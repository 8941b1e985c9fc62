/** Two servers that write labels and lists of one bucket, against a real S3 server; skipped, and said so, where there is none. */
import { afterEach, expect, test, vi } from 'vitest';
import { describeBucket } from '../sae/fixtures/describeBucket.ts';
import { StoreLayout } from '../sae/store/layout.ts';
import { Bucket } from '../sae/store/remote/s3/bucket.ts';
import { parseBucketAddress } from '../sae/store/remote/s3/bucketAddress.ts';
import { sharedObject } from '../sae/store/remote/s3/sharedObject.ts';
import { Database, inMemory } from './database.ts';
import { AutomaticLabels } from './queries/automaticLabels.ts';
import { LabelBook } from './queries/labelBook.ts';
import { ListBook } from './queries/listBook.ts';
import { SharedLabels } from './sharedLabels.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const hand = { kind: 'hand' as const };

describeBucket('labels in a bucket', (on) => {
  let closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    on.proxy.fault = () => undefined;
    for (const close of closing) await close();
    closing = [];
  });

  /** As one server has them. */
  async function open() {
    const bucket = new Bucket(parseBucketAddress(on.url), { endpoint: on.proxy.endpoint, firstWait: 1 });
    const database = await Database.open(inMemory);
    const shared = await SharedLabels.open(database, sharedObject(bucket, 'labels.json'), 3_600_000);
    closing.push(async () => {
      shared.close();
      bucket.close();
      await database.close();
    });
    const automatic = new AutomaticLabels(new StoreLayout(on.folder), () => {});
    const labels = new LabelBook(shared, automatic);
    const write = (latent: number, label: string, note = '') =>
      labels.write([{ run: 'a', seed: 1, latent, label, note, source: hand }]);
    return { shared, labels, lists: new ListBook(shared), write };
  }
  type Opened = Awaited<ReturnType<typeof open>>;
  const written = async ({ labels }: Opened) =>
    (await labels.list({})).map(({ latent, label, note }) => [latent, label, note]);
  const stored = async () => {
    const bucket = new Bucket(parseBucketAddress(on.url), { endpoint: on.server.endpoint });
    const found = await bucket.text('labels.json');
    bucket.close();
    return found && (JSON.parse(found.text) as { labels: { latent: number; label: string }[] });
  };

  test('both write at once, again and again, and nothing is lost', async () => {
    const [one, two] = [await open(), await open()];
    const edits = 15;
    const work = async (from: Opened, by: string, offset: number) => {
      for (let at = 0; at < edits; at++) {
        const [label] = await from.write(2 * at + offset, `${by} ${at}`, `note ${at}`);
        expect(label).toMatchObject({ run: 'a', seed: 1, label: `${by} ${at}`, source: hand });
      }
    };
    await Promise.all([work(one, 'one', 0), work(two, 'two', 1)]);
    const all = Array.from({ length: 2 * edits }, (_, latent) => {
      const at = latent >> 1;
      return [latent, `${latent % 2 ? 'two' : 'one'} ${at}`, `note ${at}`];
    });
    expect((await stored())?.labels).toHaveLength(2 * edits);
    // Some were refused, and made again on what the other had written.
    const puts = on.proxy.requests.filter((each) => /^PUT .*labels\.json/.test(each));
    expect(puts.length).toBeGreaterThan(2 * edits);
    expect(puts.every((each) => / (if|unless) /.test(each))).toBe(true);
    for (const each of [one, two]) {
      await each.shared.refresh();
      expect(await written(each)).toEqual(all);
    }
    expect(await written(await open())).toEqual(all);
  });

  test('of one latent the later one stays, as with one server, and what is removed stays removed', async () => {
    const [one, two] = [await open(), await open()];
    await one.write(3, 'first');
    await two.write(3, 'second');
    await two.write(4, 'kept');
    await one.write(5, '');
    await one.write(4, 'changed');
    await two.write(3, '');
    await one.shared.refresh();
    await two.shared.refresh();
    expect(await written(one)).toEqual([[4, 'changed', '']]);
    expect(await written(two)).toEqual(await written(one));
  });

  test('lists that both make and fill have the features of both', async () => {
    const [one, two] = [await open(), await open()];
    const features = (latents: number[]) => latents.map((latent) => ({ run: 'a', seed: 0, latent }));
    await Promise.all([
      one.lists.add({ name: 'seas', features: features([1, 2]) }),
      two.lists.add({ name: 'seas', features: features([2, 3]) }),
    ]);
    await one.lists.note('seas', 'of ice');
    await two.lists.take({ name: 'seas', features: features([1]) });
    for (const { shared, lists } of [one, two]) {
      await shared.refresh();
      expect(await lists.all()).toMatchObject([{ name: 'seas', note: 'of ice', features: 2 }]);
      expect((await lists.members('seas')).map(({ latent }) => latent).sort()).toEqual([2, 3]);
    }
    await one.lists.remove('seas');
    await two.shared.refresh();
    expect(await two.lists.all()).toEqual([]);
  });

  test('an answer that was lost is no conflict, and what can’t be kept isn’t shown', async () => {
    const one = await open();
    await one.write(1, 'there');
    let lost = 0;
    on.proxy.fault = ({ method, url: path }) =>
      method === 'PUT' && path?.includes('labels.json') && lost++ === 0 ? 'lost answer' : undefined;
    await one.write(2, 'also there');
    expect(lost).toBeGreaterThan(1);
    on.proxy.fault = ({ method }) => (method === 'PUT' ? { status: 403 } : undefined);
    await expect(one.write(3, 'never there')).rejects.toMatchObject({ code: 'unavailable' });
    const expected = [
      [1, 'there', ''],
      [2, 'also there', ''],
    ];
    expect(await written(one)).toEqual(expected);
    on.proxy.fault = () => undefined;
    expect(await written(await open())).toEqual(expected);
    await one.write(3, 'in the end');
    expect((await stored())?.labels).toHaveLength(3);
  });

  test('a document that is none is refused by its address, and not written over', async () => {
    const bucket = new Bucket(parseBucketAddress(on.url), { endpoint: on.server.endpoint });
    await bucket.put('labels.json', '{"version":1,"labels":7}', 'absent');
    bucket.close();
    await expect(open()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`'${on.url}/labels.json' is not what it should be`) as string,
    });
    expect(await stored()).toMatchObject({ labels: 7 });
  });
});
