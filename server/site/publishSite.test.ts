/** Where a site is put, and what is chosen for it; web/site tests what it answers. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { siteFiles } from '../../sae/spec/site/answerPlace.ts';
import type { StoreLayout } from '../../sae/store/layout.ts';
import { writeFixtureStore } from '../fixtures/writeFixtureStore.ts';
import { publishSite, type PublishedSite, type PublishOptions } from './publishSite.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const run = 'fixture-topk';
/** Of the model that the run looks into. */
const report = 'fixture-relu';
let folder: string;
let store: StoreLayout;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-publish-'));
  store = await writeFixtureStore(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Answers are compressed. */
async function contentOf(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

const publish = (more: Partial<PublishOptions> = {}): Promise<PublishedSite> =>
  publishSite({
    store,
    runs: [run],
    out: join(folder, 'site'),
    putPages: async (place) => {
      await mkdir(place, { recursive: true });
      await writeFile(join(place, 'index.html'), 'the pages');
    },
    bundledModels: [],
    version: '0.0.0-test',
    withStore: false,
    log: () => {},
    ...more,
  });

test('a later site takes the place of an earlier one, and of nothing else', async () => {
  const site = join(folder, 'site');
  await expect(publish({ out: store.root })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('something else than a published site'),
  });
  await publish({ runs: ['fixture-relu'] });
  expect(await publish()).toMatchObject({ runs: [run], reports: [report], storeBytes: 0 });
  expect((await readdir(site)).sort()).toEqual(['answers', 'index.html', 'lazyscope-site.json']);
  expect(JSON.parse(await readFile(join(site, 'lazyscope-site.json'), 'utf8'))).toMatchObject({
    runs: [run],
    reports: [report],
  });
  for (const [named, code, message] of [
    [{ runs: ['none'] }, 'not_found', "no run 'none' in '"],
    [{ reports: ['none'] }, 'not_found', 'there are fixture-gelu, fixture-relu'],
    [{ runs: [] }, 'bad_input', '--report'],
  ] as const)
    await expect(publish(named)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  // Whatever goes wrong, nothing is left beside it.
  expect((await readdir(folder)).sort()).toEqual(['data', 'site']);
});

test('what a killed process has left is gone after the next site, and two processes do not publish at one place', async () => {
  const [out, work] = [join(folder, 'twice'), join(folder, '.twice.publishing')];
  await mkdir(join(work, 'site', 'answers'), { recursive: true });
  await writeFile(join(work, 'site', 'answers', 'of-a-killed-process.bin'), '');
  let second: unknown;
  await publish({
    out,
    putPages: async (place) => {
      await mkdir(place, { recursive: true });
      second = await publish({ out }).catch((error: unknown) => error);
    },
  });
  expect(second).toMatchObject({ code: 'conflict', message: expect.stringContaining('in use by process') });
  expect(await readdir(join(out, 'answers'))).not.toContain('of-a-killed-process.bin');
  expect((await readdir(folder)).filter((name) => name.includes('twice'))).toEqual(['twice']);
});

test('sparsity reports go along with runs of their models, more of them, none, or without a run', async () => {
  const named = async (more: Partial<PublishOptions>) => (await publish(more)).reports;
  expect(await named({ reports: ['fixture-gelu'] })).toEqual(['fixture-gelu', report]);
  expect(await named({ reports: ['fixture-gelu'], reportsOfRuns: false })).toEqual(['fixture-gelu']);
  expect(await named({ reportsOfRuns: false })).toEqual([]);
  const alone = await publish({ runs: [], reports: ['fixture-gelu'], withStore: true });
  expect(alone).toMatchObject({ runs: [], comparisons: [], reports: ['fixture-gelu'], latents: 0 });
  const files = await readdir(join(alone.out, 'answers'), { recursive: true });
  expect(files).toContain(join('neurons', 'fixture-gelu', '1', '0.bin'));
  expect(files.filter((name) => name.startsWith('runs') || name.includes(report))).toEqual([]);
  const tables = await readdir(join(alone.out, 'data'), { recursive: true });
  expect(tables).toContain(join('sparsity', 'fixture-gelu', 'neurons.parquet'));
  expect(tables.filter((name) => name.includes('fixture-topk') || name.includes(report))).toEqual([]);
});

test('a site and its tables say nothing of the machine, and count the models that they are about', async () => {
  const path = store.runManifest(run);
  const before = await readFile(path, 'utf8');
  const fromModel = { text: join(folder, 'sea.txt'), textBytes: 1, heldOutOf: 1, bufferTokens: 1 };
  await writeFile(path, JSON.stringify({ ...JSON.parse(before), fromModel }));
  // As earlier versions recorded it.
  expect(JSON.parse(await readFile(store.captureManifest('fixture'), 'utf8')).model.folder).toMatch(/^\//);
  try {
    const { out } = await publish({ out: join(folder, 'shared'), withStore: true });
    const files = await readdir(out, { recursive: true, withFileTypes: true });
    const found: string[] = [];
    for (const file of files.filter((one) => one.isFile()))
      if ((await contentOf(join(file.parentPath, file.name))).includes(folder)) found.push(file.name);
    expect(found).toEqual([]);
    expect(
      JSON.parse(await readFile(join(out, 'data', 'runs', run, 'run.json'), 'utf8')).fromModel.text,
    ).toBe('sea.txt');
    expect(String(await contentOf(join(out, siteFiles.general())))).toMatch(/"models":1\b/);
  } finally {
    await writeFile(path, before);
  }
});
