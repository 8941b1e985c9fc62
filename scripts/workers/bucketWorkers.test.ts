/**
 * Workers that share nothing but a bucket and a Redis: each has a cache of its own, as on machines of their own. Skipped, and said so, where one of the
 * two servers is missing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  bucketName,
  hasS3Server,
  s3Keys,
  startS3Server,
  type S3Server,
} from '../../sae/fixtures/s3Server.ts';
import { Bucket } from '../../sae/store/remote/s3/bucket.ts';
import { parseBucketAddress } from '../../sae/store/remote/s3/bucketAddress.ts';
import { hasRedis, startRedis, type RedisServer } from '../../server/fixtures/redisServer.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { differences, finalBytes } from '../chaos/finalBytes.ts';
import { startWorker, type WorkerProcess } from './workerProcess.ts';

vi.setConfig({ testTimeout: 400_000, hookTimeout: 240_000 });
const hasBoth = hasRedis && hasS3Server;
if (!hasBoth)
  console.warn(
    'SKIPPED: there is no redis-server, or no versitygw (.ci/versitygw builds it), so workers on a bucket are not tested.',
  );

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
const data = `s3://${bucketName}/shared by workers`;

describe.skipIf(!hasBoth)('workers on a store in a bucket', () => {
  let folder: string;
  let local: string;
  let s3: S3Server;
  let redis: RedisServer;
  let workers: WorkerProcess[] = [];
  const variables = (machine: string) => ({
    AWS_ENDPOINT_URL: s3.endpoint,
    LAZYSCOPE_CACHE: join(folder, machine),
  });

  beforeAll(async () => {
    Object.assign(process.env, s3Keys);
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-bucket-workers-'));
    local = join(folder, 'local');
    [s3, redis] = await Promise.all([startS3Server(), startRedis()]);
    await writeFixtureStore(local);
    expect(lazyscope('one', 'store', 'upload', data, `--data=${local}`)).toMatchObject({ status: 0 });
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
    workers = [];
  });
  afterAll(async () => {
    await redis?.stop();
    await s3?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  function lazyscope(machine: string, ...args: string[]) {
    const env = { ...process.env, ...variables(machine) };
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      encoding: 'utf8',
      env,
    });
    return { status, stdout, stderr };
  }

  /** A command that waits for workers. */
  function waiting(machine: string, ...args: string[]) {
    const child = spawn(
      process.execPath,
      [script, ...args, `--queue=${redis.address}`, `--data=${data}`, '--json'],
      {
        env: { ...process.env, ...variables(machine) },
      },
    );
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    const status = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { said, status };
  }

  function worker(machine: string): WorkerProcess {
    const started = startWorker(
      [`--queue=${redis.address}`, `--data=${data}`, '--lease=2'],
      variables(machine),
    );
    workers.push(started);
    return started;
  }

  const keys = async () => {
    const bucket = new Bucket(parseBucketAddress(data), { endpoint: s3.endpoint });
    const found = (await bucket.list()).map(({ key }) => key);
    bucket.close();
    return found;
  };

  /** What is in the bucket under these paths, beside what one machine makes in a folder. */
  async function expectSame(pattern: RegExp) {
    const copy = join(folder, `copy-${Math.random()}`);
    expect(lazyscope('copier', 'store', 'fetch', data, `--data=${copy}`)).toMatchObject({ status: 0 });
    const made = async (root: string) =>
      new Map([...(await finalBytes(root))].filter(([path]) => pattern.test(path)));
    const expected = await made(local);
    expect(expected.size).toBeGreaterThan(2);
    expect(differences(await made(copy), expected)).toEqual([]);
  }

  const training = [
    'train', '--capture=fixture', '--architecture=topk', '--k=4', '--width=128', '--seeds=0,1', '--tokens=200000',
    '--batch-size=64', '--checkpoint-every=50', '--name=killed',
  ]; // prettier-ignore

  test('a worker that finds nobody on the address is told so', () => {
    const { status, stderr } = lazyscope(
      'lone',
      'worker',
      `--queue=${redis.address}`,
      '--data=s3://studies/nobody',
    );
    expect(status).toBe(2);
    expect(stderr).toContain("'s3://studies/nobody' is not the data folder of a queue");
  });

  test('one that is killed with its job is followed by another, which goes on from the checkpoint in the bucket', async () => {
    const asked = waiting('asker', ...training);
    await vi.waitFor(() => expect(asked.said.err).toMatch(/jobs? put into the queue/), { timeout: 60_000 });
    const first = worker('first');
    await vi.waitFor(
      async () =>
        expect((await keys()).some((key) => key.startsWith('runs/killed/checkpoints/step-'))).toBe(true),
      { timeout: 120_000, interval: 50 },
    );
    const children = childrenOf(first.child.pid);
    expect(children.length).toBeGreaterThan(0);
    const gone = first.end('SIGKILL');
    for (const pid of children) process.kill(pid, 'SIGKILL');
    await gone;
    expect((await keys()).some((key) => key.startsWith('runs/killed/seed-0/sae'))).toBe(false);
    const second = worker('second');
    expect(await asked.status, asked.said.err).toBe(0);
    expect(second.said()).toContain('attempt 2');
    expect(second.said()).toContain('--resume');
    expect(JSON.stringify(JSON.parse(asked.said.out))).toContain('"complete"');
    expect(lazyscope('local', ...training, `--data=${local}`)).toMatchObject({ status: 0 });
    await expectSame(/^runs\/killed\//);
    expect((await keys()).filter((key) => /^runs\/killed\/(checkpoints|\.lock)/.test(key))).toEqual([]);
  });

  test('jobs in parts leave their blocks in the bucket for one another, and nothing in the end', async () => {
    const works = [
      ['capture', '--model=fixture-relu', '--text=dataset:moby-dick', '--hook=blocks.0.hook_resid_post', '--name=split', '--context-length=32', '--max-tokens=20000', '--shard-bytes=200000'],
      ['index', 'killed', '--seeds=0'],
      ['compare', 'killed/0', 'killed/1'],
    ]; // prettier-ignore
    for (const name of ['first', 'second']) worker(name);
    for (const [command, ...args] of works) {
      expect(lazyscope('local', command, ...args, `--data=${local}`)).toMatchObject({ status: 0 });
      const asked = waiting('asker', command, ...args, '--parts=2');
      expect(await asked.status, asked.said.err).toBe(0);
    }
    for (const { said } of workers) expect(said()).toMatch(/--part=\d\/2/);
    await expectSame(/^(captures\/split|runs\/killed|comparisons\/killed)/);
    expect((await keys()).filter((key) => key.startsWith('parts/'))).toEqual([]);
  });

  test('parts are done by hand, and what they leave is taken', async () => {
    const index = ['index', 'killed', '--seeds=1'];
    for (const part of [1, 2]) {
      const { status, stdout, stderr } = lazyscope(
        `by-hand-${part}`,
        ...index,
        `--part=${part}/2`,
        '--json',
        `--data=${data}`,
      );
      expect(status, stderr).toBe(0);
      expect(JSON.stringify(JSON.parse(stdout))).toContain('"made"');
    }
    expect(
      (await keys()).filter((key) => /^parts\/index-[0-9a-f]+\/firings-0\.safetensors$/.test(key)),
    ).toHaveLength(1);
    // A part that is repeated makes nothing, on a machine that has nothing.
    const again = lazyscope('by-hand-3', ...index, '--part=1/2', '--json', `--data=${data}`);
    expect(again.stdout).toMatch(/"made": 0/);
    expect(lazyscope('by-hand-4', ...index, `--data=${data}`)).toMatchObject({ status: 0 });
    expect(lazyscope('local', ...index, `--data=${local}`)).toMatchObject({ status: 0 });
    await expectSame(/^runs\/killed\//);
    expect((await keys()).filter((key) => key.startsWith('parts/'))).toEqual([]);
  });

  test('a server on the bucket puts jobs into the queue and shows what comes of them', async () => {
    const served = spawn(
      process.execPath,
      [script, 'serve', `--data=${data}`, `--queue=${redis.address}`, '--no-explorer', '--port=0', '--json'],
      { env: { ...process.env, ...variables('server') } },
    );
    let out = '';
    let err = '';
    served.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    served.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    try {
      await vi.waitFor(() => expect(out, err).toContain('"url"'), { timeout: 60_000 });
      const { url } = JSON.parse(out) as { url: string };
      const ask = async (path: string, init?: RequestInit) =>
        JSON.stringify(await (await fetch(`${url}/trpc/${path}`, init)).json());
      const job = { kind: 'evaluate', options: { run: 'fixture-topk', seeds: [1], exclude: 'position:3' } };
      const headers = { 'content-type': 'application/json' };
      expect(await ask('jobs.start', { method: 'POST', headers, body: JSON.stringify(job) })).toContain(
        '"queued"',
      );
      worker('third');
      await vi.waitFor(
        async () => {
          const { result } = JSON.parse(await ask('jobs.list')) as {
            result: { data: { kind: string; status: string }[] };
          };
          expect(result.data.find(({ kind }) => kind === 'evaluate')?.status).toBe('done');
        },
        { timeout: 120_000, interval: 200 },
      );
      const bucket = new Bucket(parseBucketAddress(data), { endpoint: s3.endpoint });
      const found = await bucket.text('runs/fixture-topk/seed-1/evaluation.json');
      bucket.close();
      expect(found?.text).toContain('position:3');
    } finally {
      served.kill('SIGINT');
      await new Promise((resolve) => served.once('close', resolve));
    }
  });
});

/** Process ids of the children of a process, as Linux tells them. */
function childrenOf(pid: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
}
