/** A reproducibility study from nothing to its row, on a small store: done once, and as the product's own documents say. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startBackend } from '../../sae/backends/startBackend.ts';
import { silent } from '../../sae/progress.ts';
import { comparisonKind } from '../../sae/spec/manifests/comparison.ts';
import { evaluationKind } from '../../sae/spec/manifests/evaluation.ts';
import { reproducibilityKind } from '../../sae/spec/manifests/reproducibility.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { readManifest } from '../../sae/store/readManifest.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import type { Session } from '../commandLine/runCommand.ts';
import { measureReproducibilityStudy, readRows } from './measureReproducibilityStudy.ts';
import { parseReproducibilityStudy } from './reproducibilityStudy.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });
const data = mkdtempSync(join(tmpdir(), 'lazyscope-study-'));
const results = join(data, 'results.json');
const study = parseReproducibilityStudy(`
captures: [{ name: fixture, text: 'dataset:moby-dick', hooks: [blocks.0.hook_resid_post] }]
seeds: [0, 1, 2]
settings: { batchSize: 64 }
evaluated: 256
losses: 32
worth: { maxTokens: 128, lossTokens: 32, draws: 3 }
sweeps: [{ name: study, capture: fixture, tokens: 1024, architectures: [topk], widths: [32], k: [4], worth: true }]
`);
const run = 'study-topk-blocks.0.hook_resid_post-32-k4';
let session: Session;
beforeAll(async () => {
  await writeFixtureStore(data);
  session = {
    store: new StoreLayout(data),
    options: {},
    report: silent,
    signal: new AbortController().signal,
    say: () => {},
    startBackend: () => startBackend('cpu'),
  };
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

test('nothing begins when nothing may', async () => {
  await measureReproducibilityStudy(session, {
    study,
    model: 'fixture-relu',
    results,
    mayBegin: () => false,
  });
  expect(await readRows(results)).toEqual([]);
});

test("a run's row has the means and ranges of its evaluations and comparisons, chance beside them, and its report", async () => {
  await measureReproducibilityStudy(session, { study, model: 'fixture-relu', results, mayBegin: () => true });
  const rows = await readRows(results);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  expect(row).toMatchObject({
    run,
    text: 'dataset:moby-dick',
    architecture: 'topk',
    width: 32,
    sparsity: 4,
    seeds: 3,
  });
  const { store } = session;
  const fvu = await Promise.all(
    study.seeds.map(async (seed) => (await readManifest(store.evaluation(run, seed), evaluationKind)).fvu!),
  );
  expect(row.fvu.mean).toBeCloseTo((fvu[0] + fvu[1] + fvu[2]) / 3, 12);
  expect([row.fvu.low, row.fvu.high]).toEqual([Math.min(...fvu), Math.max(...fvu)]);
  const pairs = await Promise.all(
    ['0-1', '0-2', '1-2'].map((pair) =>
      readManifest(store.comparisonManifest(`${run}-${pair}`), comparisonKind),
    ),
  );
  expect(row.mmcs.mean).toBeCloseTo(
    pairs.reduce((sum, { mmcs }) => sum + mmcs / 3, 0),
    12,
  );
  expect(row.pwMcc.chance).toBeCloseTo(
    pairs.reduce((sum, { chance }) => sum + chance!.covariance!.pwMcc / 3, 0),
    12,
  );
  expect(row.shared.high).toBe(Math.max(...pairs.map(({ shared }) => shared)));
  expect(row.curve).toHaveLength(21);
  expect(row.curve[14].threshold).toBeCloseTo(0.7, 12);
  expect(row.curve[14].shared).toBeCloseTo(row.shared.mean, 12);
  const found = await readManifest(store.reproducibility(run), reproducibilityKind);
  expect(row.reproducibility?.every).toEqual(found.every);
  expect(row.reproducibility?.worth?.draws).toBe(3);
  expect(row.reproducibility?.histogram).toEqual(found.histogram);
});

test('what is done is not done again', async () => {
  const { store } = session;
  const files = [
    store.reproducibility(run),
    store.runManifest(run),
    store.evaluation(run, 2),
    store.comparisonManifest(`${run}-1-2`),
  ];
  const before = files.map((file) => statSync(file).mtimeMs);
  const rows = readFileSync(results, 'utf8');
  await measureReproducibilityStudy(session, { study, model: 'fixture-relu', results, mayBegin: () => true });
  expect(files.map((file) => statSync(file).mtimeMs)).toEqual(before);
  expect(readFileSync(results, 'utf8')).toBe(rows);
});
