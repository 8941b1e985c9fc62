import { mkdtemp, readFile, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Random } from '../numerics/random.ts';
import { exampleTable } from '../spec/tables/examples.ts';
import { featureDetailTable, featureTable, listedFeatureTable } from '../spec/tables/features.ts';
import { StoreLayout } from '../store/layout.ts';
import { writeParquet } from '../store/parquet.ts';
import { queryRows } from '../store/queryRows.ts';
import { readColumns } from '../store/readColumns.ts';
import { columnList, storedTable } from '../store/tableSql.ts';
import { FeaturePages, removeFeaturePages, writeFeaturePages } from './featurePages.ts';

const latents = 1500;
const dictionary = { run: 'odd', seed: 3 };
let store: StoreLayout;

const random = Random.fromSeed(5, 'pages');
const floats = (most: number) =>
  Array.from({ length: latents }, () =>
    Float32Array.from({ length: random.below(most) }, () => random.normal()),
  );
const integers = (most: number, below = 70_000) =>
  Array.from({ length: latents }, () =>
    Int32Array.from({ length: random.below(most) }, () => random.below(below)),
  );
const doubles = () => Float64Array.from({ length: latents }, () => random.normal());

const features = {
  latent: Int32Array.from({ length: latents }, (_, i) => i),
  density: doubles(),
  firings: Array.from({ length: latents }, (_, i) => i * 5e9),
  dead: Array.from({ length: latents }, (_, i) => i % 3 === 0),
  maxActivation: doubles(),
  meanActivation: doubles(),
  histogram: integers(33, 100),
  decoderNorm: doubles(),
  encoderDecoderCosine: doubles(),
  biasEncoder: doubles(),
  promotedTokens: integers(9),
  promotedLogits: floats(9),
  suppressedTokens: integers(9),
  suppressedLogits: floats(9),
  neighbours: integers(9),
  neighbourCosines: floats(9),
  topTokens: integers(9),
  topTokenCounts: integers(9),
};
/** Latents with many examples, with one, and with none, in no order of bands or ranks. */
const rows = Array.from({ length: latents }, (_, latent) => latent)
  .filter((latent) => latent % 4 !== 2)
  .flatMap((latent) =>
    Array.from({ length: latent % 4 === 1 ? 1 : 7 }, (_, i) => ({
      latent,
      band: ['quantile-4', 'top', 'quantile-0'][i % 3],
      rank: (5 * i) % 7,
    })),
  );
const examples = {
  latent: rows.map(({ latent }) => latent),
  band: rows.map(({ band }) => band),
  rank: rows.map(({ rank }) => rank),
  activation: rows.map(() => random.normal()),
  context: rows.map(() => random.below(100_000)),
  position: rows.map(() => random.below(100)),
  start: rows.map(() => random.below(100)),
  tokens: rows.map(() => Int32Array.from({ length: random.below(34) }, () => random.below(70_000) - 1)),
  activations: rows.map(() => Float32Array.from({ length: random.below(34) }, () => random.normal())),
};

beforeEach(async () => {
  store = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-pages-')));
  const { run, seed } = dictionary;
  await writeParquet(store.features(run, seed), featureTable, features);
  await writeParquet(store.examples(run, seed), exampleTable, examples, { rowGroupSize: 2048 });
  await writeFeaturePages({ store, ...dictionary });
});

test('every page is what the two Parquet files say of its latent, and the columns are as they are there', async () => {
  const pages = (await FeaturePages.open(store, dictionary))!;
  expect(pages.latents).toBe(latents);
  const details = await queryRows(
    featureDetailTable,
    `SELECT ${columnList(featureDetailTable)} FROM ${storedTable(featureDetailTable)} ORDER BY latent`,
    { path: store.features(dictionary.run, dictionary.seed) },
  );
  const stored = await queryRows(exampleTable, `SELECT * FROM ${storedTable(exampleTable)}`, {
    path: store.examples(dictionary.run, dictionary.seed),
  });
  const bands = ['top', 'quantile-4', 'quantile-3', 'quantile-2', 'quantile-1', 'quantile-0'];
  const byLatent = Array.from({ length: latents }, (): typeof stored => []);
  for (const row of stored) byLatent[row.latent].push(row);
  for (let latent = 0; latent < latents; latent++) {
    const { detail, examples: shown } = pages.page(latent)!;
    expect(detail).toEqual(details[latent]);
    expect(shown).toEqual(
      byLatent[latent].toSorted((a, b) => bands.indexOf(a.band) - bands.indexOf(b.band) || a.rank - b.rank),
    );
  }
  expect(pages.page(latents)).toBe(undefined);
  const { columns, bytes } = await readColumns(
    store.features(dictionary.run, dictionary.seed),
    listedFeatureTable,
  );
  expect(pages.columns()).toEqual({ columns, bytes });
});

test('a dictionary without examples has pages without them', async () => {
  const empty = { run: 'bare', seed: 0 };
  await writeParquet(store.features(empty.run, empty.seed), featureTable, features);
  await writeFeaturePages({ store, ...empty });
  const pages = (await FeaturePages.open(store, empty))!;
  expect(pages.page(7)).toMatchObject({ detail: { latent: 7 }, examples: [] });
});

test('a file of tables that have changed since is not read, nor one of another version, nor none', async () => {
  const { run, seed } = dictionary;
  await writeParquet(store.examples(run, seed), exampleTable, {
    ...examples,
    rank: examples.rank.map((rank) => rank + 1),
    activation: examples.activation.map(() => random.normal()),
    context: examples.context.map(() => 5),
  });
  expect(await FeaturePages.open(store, dictionary)).toBe(undefined);
  await writeFeaturePages({ store, ...dictionary });
  expect((await FeaturePages.open(store, dictionary))!.page(0)!.examples[0].context).toBe(5);
  const path = store.featurePages(run, seed);
  const bytes = await readFile(path);
  await writeFile(
    path,
    Buffer.from(bytes.toString('latin1').replace('"version":"1"', '"version":"9"'), 'latin1'),
  );
  expect(await FeaturePages.open(store, dictionary)).toBe(undefined);
  await removeFeaturePages(store, run, seed);
  expect(await FeaturePages.open(store, dictionary)).toBe(undefined);
});

test('a damaged file is refused by name, with the command that makes it again', async () => {
  const path = store.featurePages(dictionary.run, dictionary.seed);
  const bytes = await readFile(path);
  const pages = (await FeaturePages.open(store, dictionary))!;
  // The blocks are the last tensor.
  await writeFile(path, Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes[bytes.length - 1] ^ 1)]));
  expect(() => pages.page(latents - 1)).toThrow(
    expect.objectContaining({
      code: 'corrupt',
      message: expect.stringMatching(/pages\.safetensors' can't be read: .* --search-only/),
    }),
  );
  expect(pages.page(0)!.detail.latent).toBe(0);
  await truncate(path, bytes.length - 100);
  await expect(FeaturePages.open(store, dictionary)).rejects.toMatchObject({ code: 'corrupt' });
});

test('stopping it leaves no file', async () => {
  const { run, seed } = dictionary;
  await removeFeaturePages(store, run, seed);
  const stop = new AbortController();
  const stages: string[] = [];
  const report = ({ stage, done }: { stage: string; done: number }) => {
    stages.push(`${stage} ${done}`);
    stop.abort();
  };
  await expect(
    writeFeaturePages({ store, ...dictionary, report, signal: stop.signal }),
  ).rejects.toMatchObject({ code: 'cancelled' });
  expect(stages).toEqual(['index: pages 1024']);
  expect(await FeaturePages.open(store, dictionary)).toBe(undefined);
});
