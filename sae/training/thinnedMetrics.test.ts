import { appendFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fixtureMetricsRow as row } from '../fixtures/metricsRow.ts';
import { MetricsWriter, readMetrics } from './metrics.ts';
import { FollowedMetrics, readThinnedMetrics } from './thinnedMetrics.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-thinned-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a million rows are thinned while other work goes on, in memory that does not follow the file', async () => {
  const path = join(folder, 'long.arrow');
  const writer = await MetricsWriter.open(path, 0);
  const many = Array.from({ length: 100_000 }, (_, i) => row(i + 1, i % 2));
  for (let i = 0; i < 10; i++) await writer.append(many);
  for (let i = 0; i < 3000; i++) await writer.append([row(5, 0)]);
  await writer.append([row(77, 0), row(78, 1)]);
  await writer.close();
  const before = process.memoryUsage.rss();
  // Turns of other work, which a busy machine makes longer and not fewer.
  let turns = 0;
  let reading = true;
  const other = () => {
    turns++;
    if (reading) setImmediate(other);
  };
  setImmediate(other);
  const thinned = await readThinnedMetrics(path, [0, 1, 4], 500);
  reading = false;
  expect([...thinned.values()].map((rows) => rows.length)).toEqual([500, 500, 0]);
  for (const [seed, first, last] of [
    [0, 1, 77],
    [1, 2, 78],
  ]) {
    expect(thinned.get(seed)?.at(0)).toEqual(row(first, seed));
    expect(thinned.get(seed)?.at(-1)).toEqual(row(last, seed));
  }
  expect(turns).toBeGreaterThan(60);
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20);
});

test('fewer rows than asked for are all there, in their order', async () => {
  const path = join(folder, 'few.arrow');
  const writer = await MetricsWriter.open(path, 0);
  for (let step = 1; step <= 9; step++) await writer.append([row(step, 3), row(step, 5)]);
  await writer.close();
  const thinned = await readThinnedMetrics(path, [3, 5], 9);
  expect(thinned.get(5)).toEqual(Array.from({ length: 9 }, (_, i) => row(i + 1, 5)));
  expect((await readThinnedMetrics(path, [3], 4)).get(3)?.map(({ step }) => step)).toEqual([1, 4, 6, 9]);
});

describe('metrics that are followed', () => {
  async function written(name: string, steps: number) {
    const path = join(folder, name);
    const writer = await MetricsWriter.open(path, 0);
    const ends = [writer.bytes];
    for (let step = 1; step <= steps; step++) {
      await writer.append([row(step, 3), row(step, 5)]);
      ends.push(writer.bytes);
    }
    return { path, writer, ends };
  }
  const steps = (rows: Map<number, { step: number }[]>, seed: number) =>
    rows.get(seed)?.map(({ step }) => step);

  test('are what reading the whole file gives, after each thing that is written', async () => {
    const { path, writer } = await written('followed.arrow', 1);
    for (const most of [2, 7, 400]) {
      const followed = new FollowedMetrics(most);
      for (let step = 2; step < 60; step++) {
        await writer.append([row(step, 3), row(step, 5)]);
        const [found, whole] = await Promise.all([followed.read(path, [3, 5], most), readMetrics(path)]);
        for (const seed of [3, 5]) {
          const own = whole.filter((one) => one.seed === seed);
          expect(found.get(seed)?.at(0)).toEqual(own.at(0));
          expect(found.get(seed)?.at(-1)).toEqual(own.at(-1));
          if (most === 400) expect(found.get(seed)).toEqual(own);
        }
      }
    }
    await writer.close();
  });

  test('are read from where they were read up to: what comes before is not looked at again', async () => {
    const { path, writer, ends } = await written('tail.arrow', 40);
    const followed = new FollowedMetrics(400);
    await followed.read(path, [3], 400);
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(ends[2] - ends[0], 7), 0, ends[2] - ends[0], ends[0]);
    await file.close();
    await expect(readMetrics(path)).rejects.toThrow(/not a whole table/);
    await writer.append([row(41, 3), row(41, 5)]);
    await writer.close();
    expect(steps(await followed.read(path, [3], 400), 3)).toEqual(
      Array.from({ length: 41 }, (_, i) => i + 1),
    );
  });

  test('without a row that is being written until it is whole', async () => {
    const { path, writer } = await written('cut.arrow', 3);
    await writer.close();
    const bytes = await readFile(path);
    const followed = new FollowedMetrics(10);
    await writeFile(path, bytes.subarray(0, bytes.length - 40));
    expect(steps(await followed.read(path, [5], 10), 5)).toEqual([1, 2]);
    await appendFile(path, bytes.subarray(bytes.length - 40));
    expect(steps(await followed.read(path, [5], 10), 5)).toEqual([1, 2, 3]);
  });

  test('begin anew where a resumed training cut the file, or another run has its name', async () => {
    const { path, writer, ends } = await written('resumed.arrow', 6);
    await writer.close();
    const followed = new FollowedMetrics(10);
    await followed.read(path, [3], 10);
    const again = await MetricsWriter.open(path, ends[2]);
    // As long as before, and longer.
    for (let step = 13; step <= 17; step++) await again.append([row(step, 3), row(step, 5)]);
    await again.close();
    expect(steps(await followed.read(path, [3], 10), 3)).toEqual([1, 2, 13, 14, 15, 16, 17]);
    const shorter = await MetricsWriter.open(path, ends[1]);
    await shorter.close();
    expect(steps(await followed.read(path, [3], 10), 3)).toEqual([1]);
    await (await written('resumed.arrow', 4)).writer.close();
    expect(steps(await followed.read(path, [5, 3], 10), 3)).toEqual([1, 2, 3, 4]);
  });

  test('of damaged files end in an error each time, and are read again once they are mended', async () => {
    const { path, writer } = await written('damaged.arrow', 5);
    await writer.close();
    const bytes = await readFile(path);
    const followed = new FollowedMetrics(10);
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(64, 9)]));
    for (let time = 0; time < 2; time++)
      await expect(followed.read(path, [3], 10)).rejects.toThrow(/not a whole table/);
    await writeFile(path, bytes);
    expect(steps(await followed.read(path, [3], 10), 3)).toEqual([1, 2, 3, 4, 5]);
  });

  test('asked for by many at once are read once, and those asked for last stay within the rows there is room for', async () => {
    const { path, writer } = await written('many.arrow', 20);
    await writer.close();
    const followed = new FollowedMetrics(100, 50);
    const found = await Promise.all(Array.from({ length: 8 }, () => followed.read(path, [3], 100)));
    for (const one of found) expect(steps(one, 3)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const others = await Promise.all([written('b.arrow', 20), written('c.arrow', 20)]);
    for (const other of others) {
      await other.writer.close();
      expect(steps(await followed.read(other.path, [3], 100), 3)?.length).toBe(20);
    }
    expect(followed.rows).toBe(40);
  });
});
