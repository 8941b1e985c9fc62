import { expect, test } from 'vitest';
import { Random } from '../../../numerics/random.ts';
import { exchangedWithin, groupCount, matchedStrata, stabilityGroups } from './stabilityGroups.ts';

const latents = 1003;
const random = Random.fromSeed(4, 'latents');
/** Those numbered by 50 are dead. Density and strength vary over three powers of ten and go together. */
const size = Float64Array.from({ length: latents }, () => random.normal());
const firings = size.map((value, i) => (i % 50 === 0 ? 0 : Math.ceil(100 * Math.exp(2 * value))));
const strength = size.map((value) => Math.exp(value + 0.5 * random.normal()));
const use = { firings, strength };
const live = [...firings.keys()].filter((i) => firings[i] > 0);
const meanOver = (of: (i: number) => number, members: readonly number[]) =>
  members.reduce((sum, i) => sum + of(i), 0) / members.length;

test('groups are equally large, in the order of stability and then of nearness, without latents that do not fire', () => {
  const returns = Float64Array.from({ length: latents }, (_, i) => (i % 3) / 2);
  const nearness = Float64Array.from({ length: latents }, () => random.uniform());
  const groups = stabilityGroups(returns, nearness, use, Random.fromSeed(0));
  expect(new Set(groups)).toEqual(new Set([-1, ...Array.from({ length: groupCount }, (_, i) => i)]));
  for (let i = 0; i < latents; i++) expect(groups[i] === -1).toBe(firings[i] === 0);
  const members = Array.from({ length: groupCount }, (_, g) => live.filter((i) => groups[i] === g));
  for (const own of members) expect(Math.abs(own.length - live.length / groupCount)).toBeLessThan(1);
  const score = (i: number) => 10 * returns[i] + nearness[i];
  for (let g = 1; g < groupCount; g++)
    expect(Math.min(...members[g].map(score))).toBeGreaterThanOrEqual(Math.max(...members[g - 1].map(score)));
});

test('latents that nothing orders are ordered at random, not by their number', () => {
  const same = new Float64Array(latents);
  const groups = stabilityGroups(same, same, use, Random.fromSeed(0));
  expect(
    meanOver(
      (i) => i,
      live.filter((i) => groups[i] < 5),
    ),
  ).toBeGreaterThan(400);
  expect(
    meanOver(
      (i) => i,
      live.filter((i) => groups[i] >= 5),
    ),
  ).toBeLessThan(600);
});

test('random groups have the density and the strength of the group they stand for, and are not it', () => {
  // Stability grows with density, so that groups without a match would differ tenfold.
  const groups = stabilityGroups(firings, strength, use, Random.fromSeed(0));
  const strata = matchedStrata(use);
  expect(strata.flat().sort((i, j) => i - j)).toEqual(live);
  for (const stratum of strata) expect(stratum.length).toBeGreaterThanOrEqual(15);
  const logs = { firings: firings.map(Math.log), strength: strength.map(Math.log) };
  for (let g = 0; g < groupCount; g++) {
    const own = live.filter((i) => groups[i] === g);
    const drawn = Array.from({ length: 20 }, (_, draw) => {
      const exchanged = exchangedWithin(strata, groups, Random.fromSeed(draw, 'exchange'));
      const members = live.filter((i) => exchanged[i] === g);
      expect(members.length).toBe(own.length);
      return members;
    }).flat();
    for (const values of [logs.firings, logs.strength]) {
      const spread = Math.sqrt(meanOver((i) => values[i] ** 2, live) - meanOver((i) => values[i], live) ** 2);
      const gap = meanOver((i) => values[i], own) - meanOver((i) => values[i], drawn);
      expect(Math.abs(gap) / spread).toBeLessThan(0.3);
    }
  }
  const exchanged = exchangedWithin(strata, groups, Random.fromSeed(1, 'exchange'));
  expect(live.filter((i) => exchanged[i] !== groups[i]).length).toBeGreaterThan(live.length / 4);
  for (let i = 0; i < latents; i++) expect(exchanged[i] === -1).toBe(firings[i] === 0);
});
