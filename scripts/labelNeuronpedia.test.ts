/** `lazyscope label --method neuronpedia` on a store, with a source that `lazyscope export --format neuronpedia` wrote and explanations beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readLabels } from '../sae/labels/labelsTable.ts';
import { startTestServer, type TestServer } from '../server/testServer.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const run = 'fixture-topk';
let on: TestServer;
let source: string;

/** The server answers meanwhile, which is in this process. */
async function lazyscope(...args: string[]) {
  const program = join(import.meta.dirname, 'lazyscope.mjs');
  const child = spawn(process.execPath, [program, ...args, '--data', on.store.root]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const [status] = await once(child, 'close');
  return { status, stdout, stderr };
}

beforeAll(async () => {
  on = await startTestServer();
  const to = on.store.imported('theirs');
  const exported = ['--format=neuronpedia', '--source-set=res-mine', '--model-id=fixture', `--to=${to}`];
  const { status, stderr } = await lazyscope('export', `${run}/0`, ...exported);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  source = join(to, 'fixture', '0-res-mine');
  mkdirSync(join(source, 'explanations'));
  const explanations = [3, 5, 5].map((index, i) => ({
    modelId: 'fixture',
    layer: '0-res-mine',
    index: String(index),
    description: `explanation ${i}`,
    explanationModelName: i === 2 ? 'gemini' : 'gpt-4o-mini',
    typeName: 'oai_token-act-pair',
  }));
  const lines = explanations.map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(join(source, 'explanations', 'batch-0.jsonl.gz'), gzipSync(lines));
});
afterAll(() => on.stop());

const path = (seed: number) => on.store.automaticLabels(run, seed, 'neuronpedia');
const call = (...more: string[]) => lazyscope('label', run, '--method=neuronpedia', ...more);

test('explanations become labels of the dictionary that they are of, which its promoted tokens show', async () => {
  // By its name in the folder imports.
  const { status, stdout } = await call('--seed=0', '--from=theirs', '--json');
  expect(status).toBe(0);
  const [done] = JSON.parse(stdout).labelled;
  expect(done).toMatchObject({ run, seed: 0, method: 'neuronpedia', model: 'fixture', source: '0-res-mine', labelled: 2, further: 1 });
  expect(done.agreement).toMatchObject({ by: 'promoted tokens', share: 1 });
  expect(done.agreement.chance).toBeLessThan(0.5);
  expect(await readLabels(path(0))).toMatchObject([
    { latent: 3, label: 'explanation 0', model: 'gpt-4o-mini' },
    { latent: 5, label: 'explanation 1' },
  ]);
  const shown = await on.client.labels.page.query({ run, seed: 0, text: 'explanation' });
  expect(shown.rows.map(({ latent, source: from }) => [latent, from])).toEqual([
    [3, { kind: 'imported', was: 'gpt-4o-mini' }],
    [5, { kind: 'imported', was: 'gpt-4o-mini' }],
  ]);
  const one = await call('--seed=0', `--from=${source}`, '--model=gemini');
  expect(one.stdout).toMatch(/1 labelled from 'fixture\/0-res-mine'.*\n.*promoted tokens that both have: 1\.00 over \d+ features/);
  expect(await readLabels(path(0))).toMatchObject([{ latent: 5, label: 'explanation 2', model: 'gemini' }]);
}); // prettier-ignore

test('the source of another dictionary is refused, and taken where that is asked for', async () => {
  const { status, stderr } = await call('--seed=1', `--from=${source}`);
  expect(stderr).toMatch(/is not of fixture-topk\/1: over \d+ features.*--any-source/);
  expect(status).toBe(2);
  expect(existsSync(path(1))).toBe(false);
  expect((await call('--seed=1', `--from=${source}`, '--any-source', '--latents=3')).status).toBe(0);
  expect(await readLabels(path(1))).toMatchObject([{ latent: 3 }]);
});

test.each([
  [['--seed=0'], /Say with --from where/],
  [['--from=theirs'], /of one dictionary: give one run, and its seed/],
  [['--seed=0', '--from=theirs', '--top=3'], /--top chooses latents by their activations/],
  [['--seed=0', '--from=theirs', '--yes'], /--yes only mean something to an endpoint/],
  [['--seed=0', '--from=theirs', '--latents=64'], /has no latent 64: its last one is 63/],
  [['--seed=0', '--from=nowhere'], /'nowhere' does not exist/],
  [['--seed=0', '--method=data', '--from=theirs'], /--from only means something to files of Neuronpedia/],
])('%j is refused with the remedy', async (args, message) => {
  const { status, stderr } = await call(...args);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
