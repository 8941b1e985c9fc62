import { expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { mapCost } from '../spec/jobs/cost.ts';
import { unitRows } from './directions.ts';
import { nearestDirections, neighbourGraph } from './neighbourGraph.ts';
import { planarLayout, principalStart } from './planarLayout.ts';

const d = 16;

/** Processor milliseconds of a layout, as dictionaryMap makes it. */
async function cost(points: number): Promise<number> {
  const random = Random.fromSeed(points, 'map');
  const all = unitRows(
    { rows: points, d, data: Float32Array.from({ length: points * d }, () => random.normal()) },
    'random',
  );
  const before = process.cpuUsage();
  await planarLayout(neighbourGraph(nearestDirections(all, 15)), principalStart(all), {});
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('five times as many points take as much longer as the formula of the estimate says, within a factor of 2', async () => {
  await cost(200);
  const [small, large] = [await cost(400), await cost(2000)];
  const facts = (points: number) => ({ points, d }) as Required<Parameters<typeof mapCost.work.of>[0]>;
  const predicted = mapCost.work.of(facts(2000)) / mapCost.work.of(facts(400));
  expect(large / small / predicted).toBeGreaterThan(0.5);
  expect(large / small / predicted).toBeLessThan(2);
});
