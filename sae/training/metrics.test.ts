import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixtureMetricsRow as row } from '../fixtures/metricsRow.ts';
import { MetricsWriter, readMetrics } from './metrics.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-metrics-'));

test('cut anywhere, the file gives its whole batches and no other', async () => {
  const path = join(folder, 'whole.arrow');
  const writer = await MetricsWriter.open(path, 0);
  const ends = [writer.bytes];
  for (let step = 1; step <= 3; step++) {
    await writer.append([row(step, 0), row(step, 1)]);
    ends.push(writer.bytes);
  }
  await writer.close();
  expect(await readMetrics(path)).toEqual([1, 2, 3].flatMap((step) => [row(step, 0), row(step, 1)]));
  const bytes = await readFile(path);
  const cut = join(folder, 'cut.arrow');
  for (let length = 0; length <= bytes.length; length += 29) {
    await writeFile(cut, bytes.subarray(0, length));
    const whole = ends.filter((end) => end <= length).length - 1;
    expect((await readMetrics(cut)).length).toBe(2 * Math.max(0, whole));
  }
});

test('reopened at a checkpoint it forgets what came later', async () => {
  const path = join(folder, 'reopened.arrow');
  const writer = await MetricsWriter.open(path, 0);
  await writer.append([row(1, 0)]);
  const { bytes } = writer;
  await writer.append([row(2, 0)]);
  await writer.close();
  const again = await MetricsWriter.open(path, bytes);
  await again.append([row(3, 0)]);
  await again.close();
  expect((await readMetrics(path)).map((r) => r.step)).toEqual([1, 3]);
  expect((await stat(path)).size).toBe(again.bytes);
  await expect(MetricsWriter.open(path, again.bytes + 1)).rejects.toMatchObject({ code: 'corrupt' });
});

test('a missing file and a file of something else are told apart', async () => {
  await expect(readMetrics(join(folder, 'none.arrow'))).rejects.toMatchObject({ code: 'not_found' });
  await writeFile(join(folder, 'other.arrow'), 'this is no table at all, only some words');
  await expect(readMetrics(join(folder, 'other.arrow'))).rejects.toMatchObject({ code: 'corrupt' });
});

test('a wrong length in the file is an error at once, and reading neither hangs nor fills the memory', async () => {
  const path = join(folder, 'lengths.arrow');
  const writer = await MetricsWriter.open(path, 0);
  const schemaEnd = writer.bytes;
  await writer.append([row(1, 0), row(1, 1)]);
  const end = writer.bytes;
  await writer.append([row(2, 0), row(2, 1)]);
  await writer.close();
  const bytes = await readFile(path);
  const bodyStart = schemaEnd + 8 + bytes.readInt32LE(schemaEnd + 4);
  const damaged = join(folder, 'damaged.arrow');
  const outcomes = { refused: 0, whole: 0 };
  const started = performance.now();
  const before = process.memoryUsage.rss();
  for (const value of [0x7fffffffn, 1n << 40n, -1n, (1n << 62n) + 5n])
    for (let at = schemaEnd + 8; at + 8 <= bodyStart; at += 4) {
      const changed = Buffer.from(bytes);
      changed.writeBigInt64LE(value, at);
      await writeFile(damaged, changed);
      try {
        // What no one looks at (padding, a name that is left out) may say anything.
        const rows = await readMetrics(damaged);
        expect([0, 4]).toContain(rows.length);
        if (rows.length === 4) expect(rows.map(({ step }) => step)).toEqual([1, 1, 2, 2]);
        outcomes.whole++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
        outcomes.refused++;
      }
    }
  expect(outcomes.refused).toBeGreaterThan(2 * outcomes.whole);
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 << 20);
  // The first batch's number of rows itself, which apache-arrow's reader loops over.
  const rows = bytes.subarray(schemaEnd, bodyStart).indexOf(Buffer.from('0200000000000000', 'hex'));
  const changed = Buffer.from(bytes);
  changed.writeBigInt64LE(0x7fffffffn, schemaEnd + rows);
  await writeFile(damaged, changed);
  await expect(readMetrics(damaged)).rejects.toThrow(/not a whole table of numbers/);
  expect(end).toBeGreaterThan(bodyStart);
});
