/** Pages of features from pages.safetensors say what they say from the Parquet files. */
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeFeaturePages } from '../sae/features/featurePages.ts';
import { startTestServer, type TestServer } from './testServer.ts';

let fixture: TestServer;
beforeAll(async () => {
  fixture = await startTestServer();
}, 120_000);
afterAll(() => fixture.stop());

// The fixture's file of the run 'fixture-topk' is there from the beginning, that of 'fixture-relu' is not.
const dictionary = { run: 'fixture-relu', seed: 1 };

async function everyPage() {
  const { client } = fixture;
  const { rows, total } = await client.features.list.query({ ...dictionary, limit: 100 });
  expect(rows).toHaveLength(total);
  const pages = await Promise.all(
    rows.map(({ latent }) => client.features.get.query({ ...dictionary, latent })),
  );
  expect(pages.some(({ examples }) => examples.length > 1)).toBe(true);
  expect(pages.some(({ counterparts }) => counterparts.some(({ topExample }) => topExample))).toBe(true);
  return { rows, pages };
}

/** Overwrites all bytes but the size. */
async function spoil(path: string) {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc((await stat(path)).size, 0x2a));
  await file.close();
}

test('with the file they are as without, and need no Parquet file; without it they do', async () => {
  const { store, client } = fixture;
  const [features, examples] = [store.features, store.examples].map((path) =>
    path.call(store, dictionary.run, dictionary.seed),
  );
  const without = await everyPage();
  await writeFeaturePages({ store, ...dictionary });
  expect(await everyPage()).toEqual(without);

  const kept = await Promise.all([features, examples].map((path) => readFile(path)));
  await spoil(features);
  await spoil(examples);
  expect(await everyPage()).toEqual(without);
  await rm(store.featurePages(dictionary.run, dictionary.seed));
  await expect(client.features.get.query({ ...dictionary, latent: 0 })).rejects.toThrow(
    /parquet' is not a whole Parquet file/,
  );
  await writeFile(features, kept[0]);
  await writeFile(examples, kept[1]);
  expect(await everyPage()).toEqual(without);
});

test('a damaged file is told of in the log, once, and the Parquet files answer', async () => {
  const { store } = fixture;
  const without = await everyPage();
  await writeFeaturePages({ store, ...dictionary });
  const path = store.featurePages(dictionary.run, dictionary.seed);
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0, bytes.length - 2000));
  const before = fixture.log.length;
  expect(await everyPage()).toEqual(without);
  const said = fixture.log.slice(before).filter((line) => line.includes('pages.safetensors'));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain("'lazyscope index RUN --search-only'");
});
