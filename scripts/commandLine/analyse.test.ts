/** `train --analyse` as a command and as a job, on the fixture store with its real model. */
import { spawnSync } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '../../server/client.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';

let on: TestServer;
beforeAll(async () => {
  on = await startTestServer();
}, 120_000);
afterAll(() => on?.stop());

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
const small = {
  architecture: 'topk',
  capture: 'fixture',
  width: 48,
  k: 5,
  tokens: 4096,
  batchSize: 256,
} as const;

test(
  'a job trains, then evaluates, indexes and compares, and says which part it is at',
  { timeout: 180_000 },
  async () => {
    const job = await on.client.jobs.start.mutate({
      kind: 'train',
      options: { ...small, name: 'whole', seeds: [0, 1], analyse: true },
    });
    const stages = new Set<string>();
    const last = await new Promise<Job>((resolve, reject) => {
      on.client.jobs.watch.subscribe(
        { id: job.id },
        {
          onData: ({ data }) => {
            if (data.job.progress) stages.add(data.job.progress.stage);
            if (data.job.finishedAt) resolve(data.job);
          },
          onError: reject,
        },
      );
    });
    expect(last).toMatchObject({ status: 'done', error: null });
    const parts = [...stages].map((stage) => stage.slice(0, 3));
    expect([...new Set(parts)]).toEqual(['1/4', '2/4', '3/4', '4/4']);
    expect(stages).toContain('1/4 train topk');
    const { result } = await on.client.jobs.get.query({ id: job.id });
    expect(result).toMatchObject({
      runs: [{ name: 'whole', status: 'complete' }],
      evaluated: { evaluations: [{ seed: 0 }, { seed: 1 }] },
      indexed: { indexed: [{ features: 48 }, { features: 48 }] },
      compared: { comparisons: [{ name: 'whole-0-1' }] },
    });
    const detail = await on.client.runs.get.query({ name: 'whole' });
    expect(detail.seeds.map(({ evaluation, indexed }) => [evaluation !== null, indexed])).toEqual([
      [true, true],
      [true, true],
    ]);
  },
);

test(
  'a step that fails leaves the training, the steps after it are done, and the exit status says so',
  { timeout: 180_000 },
  async () => {
    const { model } = (await on.client.captures.list.query()).find(({ name }) => name === 'fixture')!;
    const folder = on.store.model(model);
    await rename(folder, `${folder}-away`);
    try {
      const given = Object.entries({ ...small, name: 'partly', seeds: '2,3' }).map(
        ([name, value]) => `--${name === 'batchSize' ? 'batch-size' : name}=${value}`,
      );
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [script, 'train', ...given, '--analyse', '--json', `--data=${on.store.root}`],
        { encoding: 'utf8' },
      );
      expect(status, stderr).toBe(2);
      expect(stderr).toContain(
        "Run 'partly' is trained and kept, but 'evaluate partly' and 'index partly' did not succeed",
      );
      expect(JSON.parse(stdout)).toMatchObject({
        runs: [{ name: 'partly', status: 'complete' }],
        compared: { comparisons: [{ name: 'partly-2-3' }] },
      });
    } finally {
      await rename(`${folder}-away`, folder);
    }
    const { manifest, seeds } = await on.client.runs.get.query({ name: 'partly' });
    expect(manifest.status).toBe('complete');
    expect(seeds.every(({ evaluation, indexed }) => evaluation === null && !indexed)).toBe(true);
  },
);
