/** A sweep that a real Slurm of one node runs as a job array. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { startTestServer, type TestServer } from '../../server/testServer.ts';
import { differences, finalBytes } from '../chaos/finalBytes.ts';
import { startSlurm, whyNoSlurm, type SlurmCluster } from './slurmCluster.ts';

const why = whyNoSlurm();
if (why !== undefined) console.warn(`SKIPPED: Slurm is not tested: ${why}.`);
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
const sweep = (tokens: number) => `
capture: fixture
tokens: ${tokens}
architectures: [topk]
hooks: [blocks.0.hook_resid_post]
widths: [64]
k: [4, 8, 12]
seeds: [0, 1]
settings: { batchSize: 64, learningRate: 0.0007, deadAfter: 999, checkpointEvery: 40 }
`;
let cluster: SlurmCluster;
let on: TestServer;
let file: string;
beforeAll(async () => {
  if (why !== undefined) return;
  cluster = await startSlurm();
  Object.assign(process.env, cluster.environment);
  on = await startTestServer({ launcher: 'slurm' });
  file = join(on.store.root, 'sweep.yaml');
  await writeFile(file, sweep(6400));
});
afterAll(async () => {
  await on?.stop();
  await cluster?.stop();
});

const lazyscope = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

describe.skipIf(why !== undefined)('--launcher slurm', () => {
  test('makes a sweep as one array, to the bytes of one machine, and the explorer follows it', async () => {
    const alone = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-alone-')));
    await cp(on.store.captures(), alone.captures(), { recursive: true });
    expect(lazyscope('train', file, `--data=${alone.root}`).status).toBe(0);
    const seen = new Set<string>();
    const watching = on.client.jobs.watch.subscribe({}, { onData: ({ data }) => seen.add(data.type) });
    const child = spawn(process.execPath, [
      script,
      'train',
      file,
      `--data=${on.store.root}`,
      '--launcher=slurm',
      '--json',
    ]);
    let [document, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (document += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const status = await new Promise((resolve) => child.once('exit', resolve));
    expect(status, said).toBe(0);
    const { jobs } = JSON.parse(document) as { jobs: { id: string; status: string; worker: string }[] };
    expect(jobs.map((job) => job.status)).toEqual(['done', 'done', 'done']);
    for (const [at, { worker }] of jobs.entries())
      expect(worker).toMatch(new RegExp(`\\(Slurm \\d+_${at}\\)$`));
    for (const name of readdirSync(alone.runs()))
      expect(differences(await finalBytes(on.store.run(name)), await finalBytes(alone.run(name)))).toEqual(
        [],
      );
    expect(readdirSync(alone.runs())).toHaveLength(3);
    // The server hears of it from the folder alone, with the progress that tasks wrote.
    const followed = await vi.waitUntil(
      async () => {
        const job = await on.client.jobs.get.query({ id: jobs[2].id });
        return job.finishedAt === null ? undefined : job;
      },
      { timeout: 60_000, interval: 200 },
    );
    watching.unsubscribe();
    expect(followed).toMatchObject({ status: 'done', exitCode: 0, subject: { what: 'run' } });
    expect(followed.progress).toMatchObject({ unit: 'steps' });
    expect(seen).toContain('progress');
    await rm(alone.root, { recursive: true });
  });

  test('a job of the explorer waits for the one that makes what it reads; one that is cancelled keeps its checkpoint', async () => {
    const training = (name: string, tokens: number): JobStartInput => ({
      kind: 'train',
      options: { architecture: 'topk', capture: 'fixture', name, width: 128, k: 4, tokens, batchSize: 64, seeds: [0] },
    }); // prettier-ignore
    const first = await on.client.jobs.start.mutate(training('then', 12_800));
    const second = await on.client.jobs.start.mutate({ kind: 'index', options: { run: 'then' } });
    const bad = await on.client.jobs.start.mutate({ kind: 'evaluate', options: { run: 'nothing' } });
    const long = await on.client.jobs.start.mutate(training('long', 50_000_000));
    const job = (id: string) => on.client.jobs.get.query({ id });
    const until = (id: string, satisfied: (now: Awaited<ReturnType<typeof job>>) => boolean) =>
      vi.waitUntil(async () => satisfied(await job(id)), { timeout: 200_000, interval: 200 });
    await until(second.id, ({ finishedAt }) => finishedAt !== null);
    expect(await job(first.id)).toMatchObject({ status: 'done' });
    expect(await job(second.id)).toMatchObject({ status: 'done', error: null });
    await until(bad.id, ({ finishedAt }) => finishedAt !== null);
    expect(await job(bad.id)).toMatchObject({ status: 'failed', exitCode: 2, error: expect.stringMatching(/no run 'nothing'/) }); // prettier-ignore
    await until(long.id, ({ progress }) => (progress?.done ?? 0) > 0);
    await on.client.jobs.cancel.mutate({ id: long.id });
    await until(long.id, ({ finishedAt }) => finishedAt !== null);
    expect(await job(long.id)).toMatchObject({ status: 'cancelled' });
    expect(existsSync(on.store.runCheckpoints('long'))).toBe(true);
    // Another server finds all of it, and what was cancelled while nobody looked.
    await on.restart();
    expect(await job(second.id)).toMatchObject({ status: 'done' });
  });

  test('refuses options that a script can’t hold, and says what sbatch refuses', () => {
    const call = ['train', file, `--data=${on.store.root}`, '--launcher=slurm', '--resume'];
    const refusals: [string, RegExp][] = [
      ['--sbatch=--time=1\n#SBATCH', /is no option for sbatch/],
      ['--sbatch=--array=3', /is set by Lazyscope/],
      ['--sbatch=--partition=nowhere', /sbatch failed: .*nowhere|invalid partition/i],
      ['--queue=redis://x', /two ways/],
    ];
    for (const [added, message] of refusals) {
      const { status, stderr } = lazyscope(...call, added);
      expect([added, status]).toEqual([added, 2]);
      expect(stderr).toMatch(message);
    }
  });
});

describe('lazyscope plan', () => {
  test('prints the commands, a script that a shell reads, and an indexed Job of Kubernetes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-plan-'));
    const path = join(folder, 'sweep.yaml');
    await writeFile(path, sweep(6400));
    const plan = (...args: string[]) => {
      const { status, stdout, stderr } = lazyscope('plan', path, `--data=${folder}`, ...args);
      expect(status, stderr).toBe(0);
      return stdout;
    };
    const commands = plan().trim().split('\n');
    expect(commands).toHaveLength(3);
    expect(commands[1]).toMatch(
      /^lazyscope train --architecture=topk .*--k=8 .*--dead-after=999 .*--resume$/,
    );

    const made = plan(
      '--format=slurm',
      '--resources=gpu=2,memory=3GB',
      '--sbatch=--partition=gpu --time=4:00:00',
    );
    for (const line of ['--array=0-2', '--gres=gpu:2', '--mem=2862M', '--partition=gpu', '--time=4:00:00'])
      expect(made).toContain(`#SBATCH ${line}\n`);
    expect(spawnSync('sh', ['-n'], { input: made, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });

    const manifest = plan('--format=k8s', '--image=registry/lazyscope:1', '--claim=store', '--resources=gpu=1,memory=2GB'); // prettier-ignore
    const job = parse(manifest);
    expect(job).toMatchObject({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: expect.stringMatching(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/) },
      spec: { completionMode: 'Indexed', completions: 3, parallelism: 3, backoffLimitPerIndex: 3 },
    });
    const { containers, volumes, restartPolicy } = job.spec.template.spec;
    expect(restartPolicy).toBe('Never');
    expect(volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'store' } }]);
    expect(containers[0].resources).toEqual({ limits: { memory: '2000000000', 'nvidia.com/gpu': '1' } });
    // Its shell runs the command of its index.
    const stub = join(folder, 'lazyscope');
    await writeFile(stub, '#!/bin/sh\necho "$LAZYSCOPE_LEASE"; echo "$*"\n', { mode: 0o755 });
    const [shell, ...args] = containers[0].command as string[];
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, JOB_COMPLETION_INDEX: '2' };
    const [lease, ran] = spawnSync(shell, args, { env, encoding: 'utf8' }).stdout.split('\n');
    expect(lease).toMatch(/^lazyscope-sweep\.2:\d+$/);
    expect(`lazyscope ${ran}`).toBe(`${commands[2]} --json --data=/data`);
    await rm(folder, { recursive: true });
  });
});
