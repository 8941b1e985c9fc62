import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../numerics/random.ts';
import { tf } from '../../tensor/tf.ts';
import { findCandidates } from '../candidates.ts';
import { unitRows, type Directions } from '../directions.ts';
import { sinkhorn } from './sinkhorn.ts';
import { transportFlows } from './transportFlows.ts';

beforeAll(() => tf.setBackend('cpu'));

const d = 64;
const random = Random.fromSeed(11, 'planted');
const directions = Array.from({ length: 40 }, () => random.normals(d));
/** A direction turned by some noise, to a cosine of about 0.96. */
const near = (v: Float32Array, noise = 0.3) => v.map((x) => x + noise * random.normal());
const halfway = (v: Float32Array, side: Float32Array, sign: number) =>
  v.map((x, k) => x + sign * 0.6 * side[k]);
const unit = (rows: Float32Array[]): Directions =>
  unitRows(
    { rows: rows.length, d, data: Float32Array.from(rows.flatMap((row) => [...row])) },
    'a planted dictionary',
  );

/** Latents 0–9 are found again, 10–14 split in two, pairs (15, 16) … (23, 24) merge, 25–29 have nothing near them. */
function planted() {
  const a = [
    ...directions.slice(0, 15),
    ...[0, 1, 2, 3, 4].flatMap((n) => {
      const [v, side] = [directions[15 + n], random.normals(d)];
      return [halfway(v, side, 1), halfway(v, side, -1)];
    }),
    ...Array.from({ length: 5 }, () => random.normals(d)),
  ];
  const b = [
    ...directions.slice(0, 10).map((v) => near(v)),
    ...directions.slice(10, 15).flatMap((v) => {
      const side = random.normals(d);
      return [halfway(v, side, 1), halfway(v, side, -1)];
    }),
    ...directions.slice(15, 20).map((v) => near(v)),
    ...Array.from({ length: 7 }, () => random.normals(d)),
  ];
  return { a: unit(a), b: unit(b) };
}

const wanted = (latent: number) =>
  latent < 10 ? 'same' : latent < 15 ? 'split' : latent < 25 ? 'merged' : 'lost';

test('planted splits, merges and losses are told apart, among all pairs and among a few candidates', () => {
  const { a, b } = planted();
  for (const kept of [32, 4]) {
    const { candidates } = findCandidates(a, b, { perRow: kept, perColumn: kept });
    const plan = sinkhorn(candidates, { epsilon: 0.03, rho: 0.5 });
    const { kind, flows } = transportFlows(candidates, plan, 0.7);
    expect(kind).toEqual(Array.from({ length: 30 }, (_, latent) => wanted(latent)));
    const parts = flows.filter(({ latent, sent }) => latent === 12 && sent > 0.25);
    expect(parts.map(({ other }) => other).sort()).toEqual([14, 15]);
    for (const { received } of parts) expect(received).toBeGreaterThan(0.7);
    expect(flows.find(({ latent }) => latent === 15)!.other).toBe(
      flows.find(({ latent }) => latent === 16)!.other,
    );
    // What a latent sends is divided among its flows, and small ones are left out.
    for (let latent = 0; latent < 30; latent++) {
      const sent = flows.filter((flow) => flow.latent === latent).reduce((sum, flow) => sum + flow.sent, 0);
      expect(sent).toBeLessThan(1 + 1e-9);
    }
  }
});

test('a rare latent next to a strong one is absorbed where the other has one for both', () => {
  const v = directions[0];
  const [own, aside] = [near(v, 0.05), near(v, 1.1)];
  const others = directions.slice(5, 12);
  const [a, b] = [unit([own, aside, ...others]), unit([near(v, 0.05), ...others, random.normals(d)])];
  const { candidates } = findCandidates(a, b, { perRow: 9, perColumn: 9 });
  const plan = sinkhorn(candidates, { epsilon: 0.03, rho: 0.5 });
  const { kind } = transportFlows(candidates, plan, 0.5);
  expect(kind.slice(0, 2)).toEqual(['same', 'absorbed']);
});
