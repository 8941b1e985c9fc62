import { beforeAll, expect, test } from 'vitest';
import { silent } from '../../sae/progress.ts';
import { tf } from '../../sae/tensor/tf.ts';
import { benchMatchings } from './benchMatchings.ts';

beforeAll(() => tf.setBackend('cpu'));

test('every stage of judging a pair is timed, and the planted counterparts are found', async () => {
  const { recovered, judged, area, stages, cpuSeconds } = await benchMatchings(
    { latents: 512, d: 192, tokens: 2500 },
    silent,
  );
  expect(recovered).toBeGreaterThan(0.9);
  expect(judged).toBeGreaterThan(200);
  expect(area).toBeGreaterThan(0.2);
  expect(stages.map(({ stage }) => stage)).toEqual(
    expect.arrayContaining(['candidates', 'activations', 'matchings and negatives', 'quality and coverage']),
  );
  expect(stages.reduce((sum, one) => sum + one.cpuSeconds, 0)).toBeCloseTo(cpuSeconds, 9);
});
