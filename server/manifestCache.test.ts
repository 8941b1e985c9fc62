/** Which files a request reads, and what damage to one of them does to the others' pages. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isLazyscopeError } from '../sae/errors.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { writeFixtureStore } from './fixtures/writeFixtureStore.ts';
import { openContext } from './openContext.ts';
import { getFeature } from './queries/features.ts';
import { overview } from './queries/overview.ts';
import { listRuns } from './queries/runs.ts';

let store: StoreLayout;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lazyscope-cache-'));
  store = await writeFixtureStore(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

const logged: string[] = [];
const open = () =>
  openContext({
    dataFolder: root,
    bundledModels: [],
    version: '0.0.0-test',
    program: [process.execPath, 'none'],
    log: (line) => logged.push(line),
  });

/** Reads of manifests by the work, in a server that has just started. */
async function inFreshServer<T>(work: (server: Awaited<ReturnType<typeof open>>['context']) => Promise<T>) {
  const { context, close } = await open();
  try {
    return { result: await work(context), reads: context.manifests.filesRead };
  } finally {
    await close();
  }
}

const feature = { run: 'fixture-topk', seed: 0, latent: 5 };
const none = { damaged: 0, newer: 0 };

describe('features.get', () => {
  test('reads every manifest it needs in a store that no server has opened', async () => {
    await rm(store.manifestIndex(), { force: true });
    const { reads, result } = await inFreshServer((server) => getFeature(server, feature));
    expect(result.counterparts).toHaveLength(2);
    // Six comparisons, its run and the capture; both counterparts are of the same run.
    expect(reads).toBe(8);
  });

  test('reads one file, the index, in a server that has just started', async () => {
    const { reads, result } = await inFreshServer((server) => getFeature(server, feature));
    expect(result.counterparts).toHaveLength(2);
    // With tokenizer.json and tokenizer_config.json of the model these are the three files besides Parquet.
    expect(reads).toBe(1);
  });

  test('reads none when it is asked again, and one after one has changed', async () => {
    await inFreshServer(async (server) => {
      const first = await getFeature(server, feature);
      const { filesRead } = server.manifests;
      expect(await getFeature(server, feature)).toEqual(first);
      expect(server.manifests.filesRead).toBe(filesRead);
      const path = store.comparisonManifest('fixture-topk-0-1');
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('"seconds": 0.01', '"seconds": 0.02'));
      await getFeature(server, feature);
      expect(server.manifests.filesRead).toBe(filesRead + 1);
    });
  });

  test('an index that is damaged, or of another store, is written again', async () => {
    for (const text of ['{', '{"version":1,"manifests":{"runs/fixture-topk/run.json":{}}}']) {
      await writeFile(store.manifestIndex(), text);
      const { reads } = await inFreshServer((server) => getFeature(server, feature));
      expect(reads).toBe(1 + 8);
    }
    const copy = await mkdtemp(join(tmpdir(), 'lazyscope-copy-'));
    await cp(join(root, 'runs'), join(copy, 'runs'), { recursive: true });
    await rm(join(root, 'runs'), { recursive: true });
    await cp(join(copy, 'runs'), join(root, 'runs'), { recursive: true });
    await rm(copy, { recursive: true });
    const { reads } = await inFreshServer((server) => getFeature(server, feature));
    // The run was replaced by a copy, so it is read; the rest comes from the index.
    expect(reads).toBe(2);
  });
});

describe('one item that cannot be read', () => {
  async function spoiled<T>(path: string, text: string, work: () => Promise<T>): Promise<T> {
    const before = await readFile(path);
    await writeFile(path, text);
    try {
      return await work();
    } finally {
      await writeFile(path, before);
    }
  }

  test('a damaged run is left out, counted and logged, and the pages of the others stay', async () => {
    const path = store.runManifest('fixture-relu');
    await spoiled(path, '{"version":1,', async () => {
      const { result } = await inFreshServer(async (server) => ({
        feature: await getFeature(server, feature),
        runs: await listRuns(server),
        overview: await overview(server),
        itself: await getFeature(server, { ...feature, run: 'fixture-relu' }).catch(
          (error: unknown) => error,
        ),
      }));
      expect(result.feature.comparedSeeds).toBe(2);
      expect(new Set(result.runs.map(({ name }) => name))).toEqual(new Set(['fixture-topk']));
      expect(result.overview.leftOut).toEqual({
        runs: { damaged: 1, newer: 0 },
        captures: none,
        comparisons: none,
        sparsityReports: none,
      });
      expect(isLazyscopeError(result.itself) && result.itself.code).toBe('corrupt');
      // Once, however often it is asked for.
      expect(logged.filter((line) => line.includes(path))).toHaveLength(1);
    });
  });

  test('a comparison and a report by a newer version are counted as newer, not as damaged', async () => {
    const newer = '{"version":7}';
    await spoiled(store.comparisonManifest('fixture-topk-0-1'), newer, () =>
      spoiled(store.sparsityReport('fixture-relu'), newer, async () => {
        const { result } = await inFreshServer(async (server) => ({
          overview: await overview(server),
          feature: await getFeature(server, feature),
        }));
        expect(result.overview.leftOut).toMatchObject({
          comparisons: { damaged: 0, newer: 1 },
          sparsityReports: { damaged: 0, newer: 1 },
        });
        expect(result.overview).toMatchObject({ comparisons: 5, sparsityReports: 1 });
        expect(result.feature.comparedSeeds).toBe(1);
      }),
    );
  });
});
