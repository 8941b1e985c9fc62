import { expect, test } from 'vitest';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { architectureNames } from '../../sae/spec/architectures/architectures.ts';
import { tf } from '../../sae/tensor/tf.ts';
import { benchArchitectures } from './benchArchitectures.ts';

test('times everything that can be trained beside TopK, and TopK beside itself', async () => {
  await startBackend('native', { threads: 1 });
  const tensors = tf.memory().numTensors;
  const seen: number[] = [];
  const options = { d: 48, width: 512, k: 8, l0: 8, batchSize: 256, rounds: 7 };
  const rows = await benchArchitectures(options, ({ done }) => void seen.push(done));
  expect(seen.at(-1)).toBe(rows.length);
  expect(rows[0]).toMatchObject({ architecture: 'topk', kind: 'autoencoder' });
  for (const kind of ['autoencoder', 'transcoder', 'skip transcoder'] as const)
    expect(rows.filter((row) => row.kind === kind).map(({ architecture }) => architecture).sort()).toEqual(
      [...architectureNames].sort(),
    ); // prettier-ignore
  expect(rows.filter(({ kind }) => kind === 'crosscoder')).toHaveLength(4);
  // By processor time, beside itself: a factor of two is left for a busy machine.
  expect(rows[0].cpuRatio.median).toBeGreaterThan(0.5);
  expect(rows[0].cpuRatio.median).toBeLessThan(2);
  for (const { architecture, l0, stepMs, ratio } of rows) {
    expect(stepMs).toBeGreaterThan(0);
    expect(ratio.interval?.[0]).toBeLessThanOrEqual(ratio.median);
    // As sparse as was asked for, so that ratios are of the same work.
    expect(Math.abs(l0 - 8), architecture).toBeLessThan(4);
  }
  expect(tf.memory().numTensors).toBe(tensors);
});
