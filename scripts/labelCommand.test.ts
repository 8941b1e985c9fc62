/** `lazyscope label` on a store: rules from the data, and an endpoint that this test starts. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { answerWith, startLocalEndpoint, type LocalEndpoint } from '../sae/fixtures/localEndpoint.ts';
import { readLabels } from '../sae/labels/labelsTable.ts';
import type { StoreLayout } from '../sae/store/layout.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
let folder: string;
let store: StoreLayout;
let endpoint: LocalEndpoint;
const run = 'fixture-topk';
const key = 'a-key-that-must-not-be-kept';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lazyscope-label-'));
  store = await writeFixtureStore(folder);
  endpoint = await startLocalEndpoint();
});
afterAll(async () => {
  await endpoint.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  endpoint.requests = [];
  endpoint.instead = null;
});

/** Not spawnSync, because the endpoint answers in this process. */
function lazyscope(
  args: string[],
  { env = {}, started }: { env?: object; started?: (stop: () => void) => void } = {},
) {
  const script = join(import.meta.dirname, 'lazyscope.mjs');
  const child = spawn(process.execPath, [script, 'label', ...args, '--data', folder, '--json'], {
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  started?.(() => child.kill('SIGINT'));
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

describe('from the data', () => {
  test('labels every active latent that a rule fits, with scores, and again the same', async () => {
    const { status, stdout } = await lazyscope([run, '--seed', '0']);
    expect(status).toBe(0);
    const [done] = JSON.parse(stdout).labelled;
    expect(done).toMatchObject({ run, seed: 0, method: 'data' });
    const { inactive, tooFewContexts, noRule } = done.unlabelled;
    expect(done.labelled + inactive + tooFewContexts + noRule).toBe(64);
    expect(done.labelled).toBeGreaterThan(5);
    const stored = await readLabels(store.automaticLabels(run, 0, 'data'));
    expect(stored).toEqual(done.labels);
    for (const { detection, model } of stored) {
      expect(model).toBeNull();
      expect(detection!.balancedAccuracy).toBeCloseTo(
        (detection!.truePositives / detection!.positives + detection!.trueNegatives / detection!.negatives) /
          2,
      );
    }
    expect(await readLabels(store.automaticLabels(run, 1, 'data'))).toEqual([]);
  });

  test('--latents and --top look at some alone and leave the labels of others', async () => {
    const path = store.automaticLabels(run, 0, 'data');
    const before = await readLabels(path);
    const [first, second] = before;
    const some = await lazyscope([run, '--seed', '0', '--latents', `${first.latent},${second.latent}`]);
    expect(
      JSON.parse(some.stdout).labelled[0].labels.map(({ latent }: { latent: number }) => latent),
    ).toEqual([first.latent, second.latent]);
    expect((await readLabels(path)).map(({ latent, label }) => [latent, label])).toEqual(
      before.map(({ latent, label }) => [latent, label]),
    );
    const top = JSON.parse((await lazyscope([run, '--seed', '0', '--top', '3'])).stdout).labelled[0];
    expect(top.labelled + top.unlabelled.noRule).toBe(3);
  });

  test.each([
    [['nothing'], /There is no run 'nothing'/],
    [[run, '--seed', '9'], /has no seed 9/],
    [[run, '--latents', '64'], /has no latent 64: its last one is 63/],
    [[run, '--yes'], /--yes only mean something to an endpoint/],
    [[run, '--method', 'magic'], /Allowed choices|must be one of|data, endpoint/],
    [[run, '--method', 'endpoint'], /No endpoint is set: give --base-url and --model/],
    [[run, '--method', 'endpoint', '--base-url', 'nowhere', '--model', 'x'], /no address of an endpoint/],
  ])('%j is refused with the remedy', async (args, message) => {
    const { status, stderr } = await lazyscope(args);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

describe('by an endpoint', () => {
  let asked: LocalEndpoint['requests'] = [];
  const path = () => store.automaticLabels(run, 0, 'endpoint');
  const ask = (more: string[] = [], started?: (stop: () => void) => void) =>
    lazyscope(
      [run, '--seed', '0', '--method', 'endpoint', '--top', '4', '--requests-per-minute', '60000', '--scored-contexts', '10', ...more],
      {
        env: { LAZYSCOPE_LABEL_BASE_URL: endpoint.baseUrl, LAZYSCOPE_LABEL_MODEL: 'reader', LAZYSCOPE_LABEL_API_KEY: key },
        ...(started ? { started } : {}),
      },
    ); // prettier-ignore

  test('without --yes it says what it would cost and sends nothing', async () => {
    const { status, stdout } = await ask(['--prompt-price', '2', '--answer-price', '10']);
    expect(status).toBe(0);
    const { started, cost } = JSON.parse(stdout);
    expect(started).toBe(false);
    expect(cost.latents).toBe(4);
    // A question for the label, then ten contexts in fives, twice.
    expect(cost.requests).toBe(4 * (1 + 2 + 2));
    expect(cost.price).toBeCloseTo((2 * cost.promptTokens + 10 * cost.answerTokens) / 1e6);
    expect(endpoint.requests).toEqual([]);
    expect(existsSync(path())).toBe(false);
  });

  test('stopped half-way it keeps what it has, and goes on from there without asking twice', async () => {
    let stop = () => {};
    endpoint.instead = () => {
      if (endpoint.requests.length === 12) stop();
      return false;
    };
    const stopped = await ask(['--yes'], (kill) => (stop = kill));
    expect(stopped.status).toBe(130);
    const first = await readLabels(path());
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThan(4);
    expect(existsSync(store.labelJournal(run, 0))).toBe(false);

    endpoint.instead = null;
    endpoint.requests = [];
    const { status, stdout } = await ask(['--yes']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      started: true,
      requests: (4 - first.length) * 5,
      plans: [{ latents: 4 - first.length, labelledBefore: first.length }],
    });
    expect(endpoint.requests).toHaveLength((4 - first.length) * 5);
    asked = endpoint.requests;
    const labels = await readLabels(path());
    expect(labels).toHaveLength(4);
    for (const label of first) expect(labels).toContainEqual(label);
  });

  test('the labels are the endpoint’s, scored by it on contexts that it was not shown', async () => {
    for (const { label, model, detection, fuzzing } of await readLabels(path())) {
      expect(model).toBe('reader');
      expect(label).toMatch(/^the text «.+»$/);
      // The reader finds its text in every context that has it, and between right marks.
      for (const score of [detection!, fuzzing!]) {
        expect([score.positives, score.unanswered]).toEqual([5, 0]);
        expect(score.negatives).toBeGreaterThanOrEqual(3);
        expect(score.balancedAccuracy).toBeGreaterThan(0.5);
      }
    }
    expect(asked.length).toBeGreaterThan(4);
    const shown = asked.map(({ body }) => body.messages.at(-1)!.content);
    const excerpts = (text: string) =>
      [...text.matchAll(/^Excerpt \d+: (.*)$/gm)].map(([, one]) => one.replaceAll(/<<|>>/g, ''));
    for (const [i, text] of shown.entries())
      if (!text.startsWith('Description'))
        for (const judged of shown.slice(i + 1, i + 5))
          for (const one of excerpts(judged)) expect(excerpts(text)).not.toContain(one);
  });

  test('the key is sent, and stands in no file, no output and no message', async () => {
    endpoint.instead = (_, response) => {
      response.writeHead(401).end(`wrong key ${key}`);
      return true;
    };
    const { status, stdout, stderr } = await ask(['--yes', '--top', '6']);
    expect(status).toBe(2);
    expect(endpoint.requests[0].headers.authorization).toBe(`Bearer ${key}`);
    expect(stdout + stderr).toContain('status 401');
    expect(stdout + stderr).not.toContain(key);
    for (const file of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (file.isFile())
        expect((await readFile(join(file.parentPath, file.name))).includes(key), file.name).toBe(false);
  });

  test('answers that are no list leave contexts out of the score, and a crash’s journal is taken up', async () => {
    endpoint.instead = (request, response) => {
      const judged = request.body.messages.at(-1)!.content.startsWith('Description');
      if (judged) answerWith(response, 'I can not tell.');
      return judged;
    };
    const [{ latent }] = await readLabels(path());
    const crashed = { latent: 63 - latent, label: 'from a crash', model: 'reader', createdAt: '2026-01-01T00:00:00.000Z', detection: null, fuzzing: null }; // prettier-ignore
    await writeFile(store.labelJournal(run, 0), `${JSON.stringify(crashed)}\n{"latent":5,"lab`);
    const { status } = await ask(['--yes', '--model', 'other', '--top', '1']);
    expect(status).toBe(0);
    const labels = await readLabels(path());
    expect(labels).toContainEqual(crashed);
    const [other] = labels.filter(({ model }) => model === 'other');
    expect(other.label).toMatch(/^the text/);
    expect(other.detection).toBeNull();
  });
});
