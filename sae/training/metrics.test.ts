import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type MetricsRow, MetricsWriter, readMetrics } from './metrics.ts';

const folder = await mkdtemp(join(tmpdir(), 'lazyscope-metrics-'));
const row = (step: number, seed: number): MetricsRow => ({
  step,
  tokens: step * 2048,
  seed,
  loss: 1 / step,
  mse: 2 / step,
  fvu: 0.5,
  l0: 32,
  deadFraction: 0,
  learningRate: 1e-3,
  sparsityCoefficient: 5,
  tokensPerSecond: 1e5,
});

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
