/** A store of every past version (fixtures/README.md) opens whole, and work goes on in it. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCapture } from '../activations/openCapture.ts';
import { loadAutoencoder } from '../autoencoders/autoencoder.ts';
import { compare } from '../comparison/compare.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { indexFeatures } from '../features/indexFeatures.ts';
import { loadLanguageModel } from '../models/loadLanguageModel.ts';
import { captureKind } from '../spec/manifests/capture.ts';
import { comparisonKind } from '../spec/manifests/comparison.ts';
import { corpusKind } from '../spec/manifests/corpus.ts';
import { evaluationKind } from '../spec/manifests/evaluation.ts';
import { runKind } from '../spec/manifests/run.ts';
import { sparsityReportKind } from '../spec/manifests/sparsityReport.ts';
import { trainingRecordKind } from '../spec/manifests/trainingRecord.ts';
import { mapTable } from '../spec/tables/dictionaryMap.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureTable } from '../spec/tables/features.ts';
import { loadingTable } from '../spec/tables/loadings.ts';
import { matchTable } from '../spec/tables/matches.ts';
import { sharedCurveTable } from '../spec/tables/sharedCurve.ts';
import { sparsityTables } from '../spec/tables/sparsityTables.ts';
import { stabilityTable } from '../spec/tables/stability.ts';
import type { Table } from '../spec/tables/table.ts';
import { openCorpus } from '../tokens/tokenizeCorpus.ts';
import { readMetrics } from '../training/metrics.ts';
import { StoreLayout } from './layout.ts';
import { queryRows } from './queryRows.ts';
import { readManifest } from './readManifest.ts';
import { columnList, storedTable } from './tableSql.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const stores = readdirSync(fixtures).filter((name) => name.startsWith('store-v'));

const rowsOf = (table: Table, path: string) =>
  queryRows(table, `SELECT ${columnList(table)} FROM ${storedTable(table)}`, { path });

test('there is a store of version 1', () => {
  expect(stores).toContain('store-v1');
});

describe.each(stores)('%s', (name) => {
  let root: string;
  let store: StoreLayout;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'lazyscope-past-'));
    cpSync(join(fixtures, name), root, { recursive: true });
    store = new StoreLayout(root);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const architectures = ['jumprelu', 'relu', 'topk'];
  const latents = 32;

  test('every manifest is read, and there are no others', async () => {
    const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.json'),
    );
    const kinds = {
      'capture.json': captureKind,
      'run.json': runKind,
      'evaluation.json': evaluationKind,
      'comparison.json': comparisonKind,
      'report.json': sparsityReportKind,
      'corpus.json': corpusKind,
      'training.json': trainingRecordKind,
    };
    const foreign = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
    const counts: Record<string, number> = {};
    for (const path of found) {
      const file = path.split(/[/\\]/).at(-1)!;
      if (foreign.includes(file)) continue;
      expect(Object.keys(kinds), path).toContain(file);
      for (const [known, kind] of Object.entries(kinds))
        if (known === file) {
          const { version } = await readManifest<{ version: number }>(join(root, path), kind as never);
          expect(version).toBe(kind.version);
        }
      counts[file] = (counts[file] ?? 0) + 1;
    }
    expect(counts).toEqual({
      'capture.json': 1,
      'run.json': 3,
      'evaluation.json': 6,
      'comparison.json': 3,
      'report.json': 1,
      'corpus.json': 1,
      'training.json': 1,
    });
  });

  test('every table has the rows and columns that are described', async () => {
    for (const run of architectures)
      for (const seed of [0, 1]) {
        expect(await rowsOf(featureTable, store.features(run, seed))).toHaveLength(latents);
        expect((await rowsOf(exampleTable, store.examples(run, seed))).length).toBeGreaterThan(0);
        expect((await rowsOf(loadingTable, store.loadings(run, seed))).length).toBeGreaterThan(0);
        if (run !== 'jumprelu')
          expect(await rowsOf(stabilityTable, store.stability(run, seed))).toHaveLength(latents);
      }
    for (const comparison of ['topk-0-1', 'relu-0-1', 'topk-relu']) {
      expect(await rowsOf(matchTable, store.comparisonMatches(comparison))).toHaveLength(latents);
      expect(await rowsOf(sharedCurveTable, store.comparisonCurve(comparison))).toHaveLength(101);
    }
    expect(await rowsOf(mapTable, store.comparisonMap('topk-0-1'))).toHaveLength(2 * latents);
    for (const [table, described] of Object.entries(sparsityTables))
      expect(
        (await rowsOf(described, store.sparsityTable('tiny', table as keyof typeof sparsityTables))).length,
        table,
      ).toBeGreaterThan(0);
  });

  test('activations, dictionaries, metrics and the tokenised text are read', async () => {
    const capture = await openCapture(store, 'letters');
    expect(capture.heldOutRows).toBeGreaterThan(0);
    const hook = 'blocks.1.hook_resid_post';
    expect(capture.readRows(hook, 0, 5).every(Number.isFinite)).toBe(true);
    capture.close();
    for (const run of architectures) {
      const { latents: width, d, dispose } = await loadAutoencoder(store, run, 1);
      expect([width, d]).toEqual([latents, 16]);
      dispose();
      expect((await readMetrics(store.runMetrics(run))).length).toBe(10);
    }
    expect(openCorpus(store.corpus('text.txt-280')).tokens.length).toBe(4084);
  });

  test('its dictionaries are evaluated, indexed and compared again, to the figures of then', async () => {
    const model = await loadLanguageModel(store.model('tiny'));
    const before = await readManifest(store.evaluation('topk', 0), evaluationKind);
    const again = await evaluate({ store, run: 'topk', seed: 0, model });
    expect(again.tokens).toBe(before.tokens);
    expect(again.l0).toBeCloseTo(before.l0, 5);
    expect(again.fvu).toBeCloseTo(before.fvu!, 4);
    expect(again.crossEntropy!.sae).toBeCloseTo(before.crossEntropy!.sae, 4);
    expect(await indexFeatures({ store, run: 'topk', seed: 0, model })).toMatchObject({ features: latents });
    const { shared, mmcs } = await readManifest(store.comparisonManifest('topk-0-1'), comparisonKind);
    const [a, b] = [0, 1].map((seed) => ({ run: 'topk', seed }));
    const compared = await compare({ store, name: 'topk-0-1', a, b, model });
    expect(compared.shared).toBe(shared);
    expect(compared.mmcs).toBeCloseTo(mmcs, 5);
    expect(existsSync(store.stability('topk', 1))).toBe(true);
    model.dispose();
  });
});
