/** `lazyscope stability`: a sweep with a column for how many features come back beyond chance. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';
import { comparisonKind } from '../sae/spec/manifests/comparison.ts';
import { stabilitySweepKind } from '../sae/spec/manifests/stabilitySweep.ts';
import { StoreLayout } from '../sae/store/layout.ts';
import { readManifest } from '../sae/store/readManifest.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });
const data = mkdtempSync(join(tmpdir(), 'lazyscope-stability-'));
beforeAll(() => writeFixtureStore(data));
afterAll(() => rmSync(data, { recursive: true, force: true }));

function stability(sweep: string) {
  const path = join(data, 'sweep.yaml');
  writeFileSync(
    path,
    `capture: fixture\nname: s\nhooks: [blocks.0.hook_resid_post]\nsettings: { batchSize: 64 }\n${sweep}`,
  );
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(import.meta.dirname, 'lazyscope.mjs'),
      'stability',
      path,
      '--threshold=0.6',
      '--max-tokens=256',
      '--loss-tokens=32',
      '--data',
      data,
      '--json',
    ],
    { encoding: 'utf8', timeout: 290_000 },
  );
  return { status, stderr, rows: status === 0 ? (JSON.parse(stdout) as { rows: Row[] }).rows : [] };
}

interface Row {
  run: string;
  with: string;
  start: Record<string, unknown>;
  fvu: number;
  comesBack: number;
  byChance: number;
  beyondChance: number;
  interval: [number, number] | null;
  pairs: number;
}

test('each configuration has a row, runs that differ in the order of the rows one of both, and figures are those of the comparisons', async () => {
  const sweep =
    'tokens: 1024\narchitectures: [topk]\nwidths: [32]\nk: [4]\nseeds: [0, 1]\ndecoderStarts: [pca]\nrowOrders: [0, 1]\n';
  const { rows, stderr } = stability(sweep);
  expect(rows, stderr).toHaveLength(3);
  const name = (order: number) => `s-topk-blocks.0.hook_resid_post-32-k4-dec-pca-order${order}`;
  expect(rows.map((row) => [row.run, row.with, row.pairs])).toEqual([
    [name(0), 'its own seeds', 1],
    [name(1), 'its own seeds', 1],
    [name(0), name(1), 1],
  ]);
  expect(rows[1].start).toEqual({ decoderStart: 'pca', rowOrder: 1 });
  const store = new StoreLayout(data);
  for (const [at, comparison] of [
    `${name(0)}-0-1`,
    `${name(1)}-0-1`,
    `${name(0)}-0-${name(1)}-1`,
  ].entries()) {
    const { shared, threshold, chance } = await readManifest(
      store.comparisonManifest(comparison),
      comparisonKind,
    );
    expect(threshold).toBe(0.6);
    expect(rows[at].comesBack).toBe(shared);
    expect(rows[at].byChance).toBe((chance!.covariance ?? chance!.isotropic).shared);
    expect(rows[at].beyondChance).toBeCloseTo(rows[at].comesBack - rows[at].byChance, 12);
    expect(rows[at].fvu).toBeGreaterThan(0);
  }
  // Begun alike along the same principal components, seeds have more in common than chance would give.
  expect(rows[0].beyondChance).toBeGreaterThan(0.2);
  // Kept under the sweep's name, for the explorer.
  const kept = await readManifest(store.sweepStability('s'), stabilitySweepKind);
  expect(kept).toMatchObject({ name: 's', threshold: 0.6, rows });
  expect(rows.map(({ interval }) => interval)).toEqual([null, null, null]);
  // What is finished is not done again.
  expect(stability(sweep).rows).toEqual(rows);
});

test('a sweep of one seed is refused', () => {
  const { status, stderr } = stability(
    'tokens: 512\narchitectures: [topk]\nwidths: [32]\nk: [4]\nseeds: [3]\n',
  );
  expect(status).toBe(2);
  expect(stderr).toMatch(/one seed/);
});
