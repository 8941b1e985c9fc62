/** A store that somebody else packed: links and other files under the names of its tables give nothing of the machine away. */
import { execFileSync } from 'node:child_process';
import { copyFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from './testServer.ts';

let on: TestServer;
const secret = join(tmpdir(), `lazyscope-secret-${process.pid}`);
beforeAll(async () => {
  on = await startTestServer();
  await writeFile(secret, 'root:x:0:0:a secret of the machine');
});
afterAll(async () => {
  await on?.stop();
  await rm(secret, { force: true });
});

const tables: [string, () => string][] = [
  ['/api/parquet/features?run=fixture-relu&seed=0', () => on.store.features('fixture-relu', 0)],
  ['/api/csv/features?run=fixture-relu&seed=0', () => on.store.features('fixture-relu', 0)],
  ['/api/arrow/features?run=fixture-relu&seed=0', () => on.store.features('fixture-relu', 0)],
  ['/api/arrow/metrics/fixture-relu', () => on.store.runMetrics('fixture-relu')],
  ['/api/arrow/metrics?run=fixture-relu', () => on.store.runMetrics('fixture-relu')],
  ['/api/parquet/sparsity/fixture-relu/neurons', () => on.store.sparsityTable('fixture-relu', 'neurons')],
];

async function inItsPlace(
  place: () => string,
  put: (path: string) => Promise<void>,
  asked: string,
  signal?: AbortSignal,
) {
  const path = place();
  await rename(path, `${path}.kept`);
  try {
    await put(path);
    const answer = await fetch(on.server.url + asked, { signal: signal ?? null });
    return { status: answer.status, text: await answer.text() };
  } finally {
    await rm(path, { recursive: true, force: true });
    await rename(`${path}.kept`, path);
  }
}

test.each(tables)('%s is answered from the store itself', async (asked) => {
  expect((await fetch(on.server.url + asked)).status).toBe(200);
});

test.each(tables)(
  '%s: a link to another file of the machine hands nothing of it over',
  async (asked, place) => {
    const { status, text } = await inItsPlace(place, (path) => symlink(secret, path), asked);
    expect([400, 422]).toContain(status);
    expect(text).not.toContain('secret of the machine');
  },
);

test.each(tables)(
  '%s: another file under the name of a table is damaged, and not handed over',
  async (asked, place) => {
    const { status, text } = await inItsPlace(place, (path) => copyFile(secret, path), asked);
    expect(status).toBe(422);
    expect(text).not.toContain('secret of the machine');
  },
);

/** A pipe that nobody writes to: opening it waits for ever, and four such waits stop every reading of files in a Node process. */
const pipe = async (path: string) => void execFileSync('mkfifo', [path]);
const waits: [string, () => string][] = [
  ...tables,
  ['/trpc/runs.list', () => on.store.runManifest('fixture-relu')],
  ['/trpc/runs.list?again', () => on.store.evaluation('fixture-relu', 0)],
  ['/trpc/captures.list', () => on.store.captureManifest('fixture')],
  ['/trpc/comparisons.list', () => on.store.comparisonManifest('fixture-relu-0-1')],
  ['/trpc/sparsity.list', () => on.store.sparsityReport('fixture-relu')],
  ['/trpc/models.list', () => join(on.store.model('fixture-relu'), 'config.json')],
  [
    `/trpc/features.list?input=${encodeURIComponent('{"run":"fixture-relu","seed":1}')}`,
    () => on.store.features('fixture-relu', 1),
  ],
];

test.skipIf(process.platform === 'win32').each(waits)(
  '%s: a pipe in the place of its file is refused or left out, and not waited for',
  async (asked, place) => {
    const { status, text } = await inItsPlace(place, pipe, asked, AbortSignal.timeout(20_000));
    expect([200, 400, 404, 422]).toContain(status);
    expect(text).not.toContain('inside the server');
  },
);

test('a link to a table outside the data folder is refused by name, a link inside it is followed', async () => {
  const [asked, place] = tables[0];
  const outside = join(tmpdir(), `lazyscope-table-${process.pid}.parquet`);
  await copyFile(place(), outside);
  const refused = await inItsPlace(place, (path) => symlink(outside, path), asked);
  await rm(outside);
  expect(refused).toMatchObject({
    status: 400,
    text: expect.stringContaining('leads out of the data folder'),
  });
  const inside = await inItsPlace(place, (path) => symlink(`${path}.kept`, path), asked);
  expect(inside.status).toBe(200);
});
