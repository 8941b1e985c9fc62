/** A sweep that a real Slurm of one node runs as a job array. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
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
    expect(await job(first.id)).toMatchObject({ status: 'done', attempt: 1 });
    expect(await job(second.id)).toMatchObject({ status: 'done', attempt: 1, error: null });
    await until(bad.id, ({ finishedAt }) => finishedAt !== null);
    expect(await job(bad.id)).toMatchObject({ status: 'failed', exitCode: 2, error: expect.stringMatching(/no run 'nothing'/) }); // prettier-ignore
    await until(long.id, ({ progress }) => (progress?.done ?? 0) > 0);
    await on.client.jobs.cancel.mutate({ id: long.id });
    await until(long.id, ({ finishedAt }) => finishedAt !== null);
    expect(await job(long.id)).toMatchObject({ status: 'cancelled' });
    expect(existsSync(on.store.runCheckpoints('long'))).toBe(true);
    // Another server finds all of it, and what was cancelled while nobody looked.
    await on.restart();
    expect(await job(second.id)).toMatchObject({
      status: 'done',
      worker: expect.stringMatching(/\(Slurm \d+_0\)$/),
    });
  });

  test('processes of one srun each do the part of their rank, to the bytes of one machine', async () => {
    const alone = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-alone-')));
    await cp(on.store.models(), alone.models(), { recursive: true });
    const args = ['capture', '--model=fixture-relu', '--text=dataset:moby-dick', '--hook=blocks.0.hook_resid_post', '--name=ranks', '--context-length=32', '--max-tokens=20000', '--shard-bytes=200000', '--json']; // prettier-ignore
    expect(lazyscope(...args, `--data=${alone.root}`).status).toBe(0);
    const here = [...args, `--data=${on.store.root}`];
    const ranks = spawnSync('srun', ['-n', '3', '--overcommit', process.execPath, script, ...here, '--part=rank'], { encoding: 'utf8' }); // prettier-ignore
    expect(ranks.status, ranks.stderr).toBe(0);
    // Their documents may come line by line in turn.
    const said = (field: string) => [...ranks.stdout.matchAll(new RegExp(`"${field}": "?([\\d/]+)`, 'g'))].map(([, value]) => value); // prettier-ignore
    expect(said('part').sort()).toEqual(['1/3', '2/3', '3/3']);
    expect(said('made')).not.toContain('0');
    expect(lazyscope(...here).status).toBe(0);
    expect(differences(await finalBytes(on.store.capture('ranks')), await finalBytes(alone.capture('ranks')))).toEqual([]); // prettier-ignore
    await rm(alone.root, { recursive: true });
  });

  test('a job in parts is an array and a task that waits for it: one job in the explorer, with the bytes of one machine', async () => {
    const alone = new StoreLayout(await mkdtemp(join(tmpdir(), 'lazyscope-alone-')));
    await cp(on.store.models(), alone.models(), { recursive: true });
    const args = ['capture', '--model=fixture-relu', '--text=dataset:moby-dick', '--hook=blocks.0.hook_resid_post', '--name=split', '--context-length=32', '--max-tokens=40000', '--shard-bytes=200000']; // prettier-ignore
    expect(lazyscope(...args, `--data=${alone.root}`).status).toBe(0);
    const before = new Set((await on.client.jobs.list.query()).map(({ id }) => id));
    const child = spawn(process.execPath, [script, ...args, `--data=${on.store.root}`, '--launcher=slurm', '--parts=3', '--json']); // prettier-ignore
    let document = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (document += text));
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect(status).toBe(0);
    expect(JSON.parse(document)).toMatchObject({ name: 'split', tokens: 40_000 });
    expect(differences(await finalBytes(on.store.capture('split')), await finalBytes(alone.capture('split')))).toEqual([]); // prettier-ignore
    expect(existsSync(on.store.parts())).toBe(false);
    const own = (await on.client.jobs.list.query()).filter(({ id }) => !before.has(id));
    expect(own).toHaveLength(1);
    const followed = await vi.waitUntil(
      async () => {
        const job = await on.client.jobs.get.query({ id: own[0].id });
        return job.finishedAt === null ? undefined : job;
      },
      { timeout: 60_000, interval: 200 },
    );
    expect(followed).toMatchObject({ status: 'done', kind: 'capture', subject: { name: 'split' } });
    expect(followed.parts?.map((part) => part.status)).toEqual(['done', 'done', 'done', 'done']);
    for (const [at, { worker }] of followed.parts?.slice(0, 3).entries() ?? [])
      expect(worker).toMatch(new RegExp(`\\(Slurm \\d+_${at}\\)$`));
    // Cancelled as a whole: its parts end, and what waits for them never begins.
    const long = await on.client.jobs.start.mutate({
      kind: 'capture',
      options: { model: 'fixture-relu', text: 'dataset:moby-dick', hooks: ['blocks.0.hook_resid_post'], name: 'never', contextLength: 32, shardBytes: 200_000 },
      parts: 2,
    }); // prettier-ignore
    const get = () => on.client.jobs.get.query({ id: long.id });
    await vi.waitUntil(async () => (await get()).status === 'running', { timeout: 60_000, interval: 200 });
    await on.client.jobs.cancel.mutate({ id: long.id });
    await vi.waitUntil(async () => (await get()).parts?.every((part) => part.status === 'cancelled'), {
      timeout: 120_000,
      interval: 200,
    });
    expect(await get()).toMatchObject({ status: 'cancelled' });
    expect(existsSync(on.store.captureManifest('never'))).toBe(false);
    await rm(alone.root, { recursive: true });
  });

  test('a data folder may have any name, and a script of plan runs as it is printed', async () => {
    const base = await mkdtemp(join(tmpdir(), 'lazyscope-odd-'));
    const odd = new StoreLayout(join(base, `my "data" #1 %a 'x'`));
    await cp(on.store.captures(), odd.captures(), { recursive: true });
    const [path, second, planned] = ['sweep.yaml', 'second.yaml', 'plan.sh'].map((name) => join(base, name));
    const one = sweep(640).replace('[4, 8, 12]', '[4]');
    await writeFile(path, one);
    await writeFile(second, `name: planned\n${one}`);
    const launched = lazyscope('train', path, `--data=${odd.root}`, '--launcher=slurm');
    expect(launched.status, launched.stderr).toBe(0);
    await writeFile(planned, lazyscope('plan', second, `--data=${odd.root}`, '--format=slurm').stdout);
    // Slurm's own log, slurm-N_0.out, lies where the script is handed in.
    const { status, stderr } = spawnSync('sbatch', ['--wait', planned], { cwd: base, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(readdirSync(odd.runs()).sort()).toEqual([
      'planned-topk-blocks.0.hook_resid_post-64-k4',
      'sweep-topk-blocks.0.hook_resid_post-64-k4',
    ]);
    const refused = lazyscope('train', path, `--data=${join(base, String.raw`a\b`)}`, '--launcher=slurm');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/whose path has a backslash or a line break: rename the data folder/);
    await rm(base, { recursive: true });
  });

  test('refuses options that a script can’t hold, and says what sbatch refuses', () => {
    const launches = () => (existsSync(on.store.launches()) ? readdirSync(on.store.launches()) : []);
    const before = launches();
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
    // What was not handed in leaves nothing behind.
    expect(launches()).toEqual(before);
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
    const lines = plan().trim().split('\n');
    expect(lines).toHaveLength(3);
    const commands = lines.map((line) => line.replace(` --data=${folder}`, ''));
    expect(commands).not.toContain(lines[0]);
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

  test('prints a job in parts: stages of commands, two scripts, and two Jobs of which one waits for the other', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-plan-'));
    const job = { kind: 'index', options: { run: 'demo-topk', seeds: [0, 1] }, parts: 3 };
    const plan = (...args: string[]) => {
      const { status, stdout, stderr } = lazyscope('plan', JSON.stringify(job), `--data=${folder}`, ...args);
      expect(status, stderr).toBe(0);
      return stdout;
    };
    const whole = 'lazyscope index demo-topk --seeds=0,1';
    const here = `--data=${folder}`;
    expect(plan()).toBe(
      `${[1, 2, 3].map((n) => `${whole} --part=${n}/3 ${here}`).join('\n')}\n\n${whole} ${here}\n`,
    );
    const { stages } = JSON.parse(plan('--json'));
    expect(stages.map((tasks: unknown[]) => tasks.length)).toEqual([3, 1]);
    expect(stages[0][2]).toEqual({ ...job, parts: undefined, part: '3/3', command: `${whole} --part=3/3` });
    const scripts = plan('--format=slurm').split(/^(?=#!\/bin\/sh)/m);
    expect(scripts).toHaveLength(2);
    for (const script of scripts) expect(spawnSync('sh', ['-n'], { input: script }).status).toBe(0);
    expect(scripts[0]).toContain('#SBATCH --array=0-2\n');
    expect(scripts[1]).toContain('#SBATCH --array=0-0\n');
    expect(scripts[1]).toContain('sbatch --dependency=afterany:N');

    const manifests = parseAllDocuments(plan('--format=k8s', '--image=i', '--claim=c')).map((one) =>
      one.toJS(),
    );
    expect(manifests.map(({ spec }) => spec.completions)).toEqual([3, 1]);
    const [parts, together] = manifests;
    expect(parts.metadata.name).toBe(`${together.metadata.name}-parts`);
    expect(parts.spec.template.spec.initContainers).toBeUndefined();
    // Their shells are run with the volume's place in this folder, and a stub for the command.
    await writeFile(join(folder, 'lazyscope'), '#!/bin/sh\necho "$*"\n', { mode: 0o755 });
    const shell = (container: { command: string[] }, index: number) => {
      const [file, flag, text] = container.command;
      const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, JOB_COMPLETION_INDEX: String(index) }; // prettier-ignore
      return spawnSync(file, [flag, text.replaceAll('/data', folder)], {
        env,
        encoding: 'utf8',
        timeout: 3_000,
      });
    };
    const { initContainers: [wait], containers: [finish] } = together.spec.template.spec; // prettier-ignore
    for (const index of [0, 1]) {
      expect(shell(parts.spec.template.spec.containers[0], index).stdout).toBe(`index demo-topk --seeds=0,1 --part=${index + 1}/3 --json --data=${folder}\n`); // prettier-ignore
      expect(shell(wait, 0).signal).toBe('SIGTERM');
    }
    shell(parts.spec.template.spec.containers[0], 2);
    expect(shell(wait, 0)).toMatchObject({ status: 0 });
    expect(shell(finish, 0).stdout).toBe(`index demo-topk --seeds=0,1 --json --data=${folder}\n`);
    // Used up: the same manifests can be applied again.
    expect(shell(wait, 0).signal).toBe('SIGTERM');
    await rm(folder, { recursive: true });
  }, 60_000);

  test('refuses a sweep whose jobs could not be, in one line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-plan-'));
    const path = join(folder, 'sweep.yaml');
    for (const [from, to, why] of [
      ['fixture', '../x', "The job is not one, at 'options.capture': use letters"],
      ['[0, 1]', '[0, 0]', "at 'options.seeds': must not name a number twice."],
    ]) {
      await writeFile(path, sweep(6400).replace(from, to));
      const { status, stderr } = lazyscope('plan', path);
      expect(status).toBe(2);
      expect(stderr).toContain(why);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    await rm(folder, { recursive: true });
  });

  test('names Jobs of two sweeps apart, whose names begin alike', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lazyscope-plan-'));
    const path = join(folder, 'sweep.yaml');
    const named = async (name: string) => {
      await writeFile(path, `name: ${name}\n${sweep(6400)}`);
      return parse(lazyscope('plan', path, '--format=k8s', '--image=i', '--claim=c').stdout).metadata.name;
    };
    expect([await named('sea-deep'), await named('sea-shallow')]).toEqual([
      'lazyscope-sea-deep',
      'lazyscope-sea-shallow',
    ]);
    await rm(folder, { recursive: true });
  });

  test('refuses what is neither a sweep nor a job', () => {
    const refused = (...args: string[]) => {
      const { status, stderr } = lazyscope('plan', ...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(refused('{"kind":"evaluate","options":{"run":"x"},"parts":2}')).toMatch(/The job is not one/);
    expect(refused('{"kind":')).toMatch(/The job is not JSON/);
    expect(refused('{"kind":"index","options":{"run":"x"}}', '--analyse')).toMatch(/--analyse goes with/);
    expect(refused('nowhere.yaml')).toMatch(/can't be read/);
  });
});
