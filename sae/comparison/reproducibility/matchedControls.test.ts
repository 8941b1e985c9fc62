import { describe, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { matchedControls } from './matchedControls.ts';
import { nearestInPlane } from './nearestInPlane.ts';

describe('nearest in the plane', () => {
  const random = Random.fromSeed(1);
  // A dense cloud, and a few far outside of it.
  const x = random.normals(600).map((value, i) => (i % 100 === 0 ? 40 * value : value));
  const y = random.normals(600).map((value, i) => (i % 150 === 0 ? 90 * value : value));
  const byHand = (i: number, from: readonly number[], count: number) =>
    from
      .filter((j) => j !== i)
      .map((j) => ({ j, distance: (x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2 }))
      .sort((p, q) => p.distance - q.distance)
      .slice(0, count)
      .map(({ j }) => j);

  test('the same as by looking at all of them', () => {
    const all = [...x.keys()];
    const found = nearestInPlane(x, y, 5);
    for (const i of all) expect([...found.subarray(5 * i, 5 * i + 5)]).toEqual(byHand(i, all, 5));
  });

  test('among candidates, for points that lie outside of all of these', () => {
    const candidates = [...x.keys()].filter((i) => x[i] > 0 && x[i] < 1 && Math.abs(y[i]) < 1);
    const of = [0, 100, 150, 300, 7];
    const found = nearestInPlane(x, y, 2, { of, candidates });
    of.forEach((i, at) => expect([...found.subarray(2 * at, 2 * at + 2)]).toEqual(byHand(i, candidates, 2)));
  });

  test('fewer candidates than asked for leave places empty', () => {
    expect([...nearestInPlane([0, 1, 2], [0, 0, 0], 3, { of: [0], candidates: [2] })]).toEqual([2, -1, -1]);
    expect([...nearestInPlane([0], [0], 1, { candidates: [] })]).toEqual([-1]);
  });
});

describe('matched controls', () => {
  const random = Random.fromSeed(2);
  const count = 2000;
  const density = Float64Array.from({ length: count }, () => Math.exp(-1 - 6 * random.uniform()));
  const strength = Float64Array.from({ length: count }, () => Math.exp(2 * random.normal()));
  const turn = Float64Array.from({ length: count }, () => random.uniform());

  test('stability that follows from density is explained, and says nothing of what is unlike it', () => {
    const stability = density.map((value) => (value > 0.02 ? 1 : 0));
    const found = matchedControls({ stability, density, strength, properties: { turn } });
    expect(found.explained).toBeGreaterThan(0.8);
    // Only latents at the border have a like one on its other side.
    expect(found.pairs).toBeLessThan(count / 4);
    const [difference] = found.differences;
    expect(difference.low).toBeLessThan(0);
    expect(difference.high).toBeGreaterThan(0);
  });

  test('stability that goes with another property is not, and the difference is that of like latents', () => {
    // Dense latents are more often stable too: only beside their like is the difference what it is.
    const stability = turn.map((value, i) => Number(value + 0.2 * Math.log(density[i]) > -0.3));
    const found = matchedControls({ stability, density, strength, properties: { turn } });
    expect(found.explained).toBeLessThan(0.75);
    const [difference] = found.differences;
    expect(difference.low).toBeGreaterThan(0.1);
    expect(found.pairs).toBeGreaterThan(300);
    expect(found.pairs).toBeLessThanOrEqual(
      Math.min(...[0, 1].map((v) => stability.filter((s) => s === v).length)),
    );
  });

  test('latents that are all alike explain nothing and have no pairs', () => {
    const found = matchedControls({
      stability: new Float64Array(count),
      density,
      strength,
      properties: { turn },
    });
    expect(found).toMatchObject({ explained: null, pairs: 0, differences: [] });
  });
});
