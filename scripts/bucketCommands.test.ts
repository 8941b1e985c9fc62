/**
 * The commands on a store in a bucket, as processes of their own: what they make there is what they make in a folder, also when one is killed and
 * another machine goes on. Skipped, and said so, where there is no S3 server.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bucketName, hasS3Server, s3Keys, startS3Server, type S3Server } from '../sae/fixtures/s3Server.ts';
import { Bucket } from '../sae/store/remote/s3/bucket.ts';
import { parseBucketAddress } from '../sae/store/remote/s3/bucketAddress.ts';
import { writeFixtureStore } from '../server/fixtures/writeFixtureStore.ts';
import { differences, finalBytes } from './chaos/finalBytes.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });
if (!hasS3Server)
  console.warn(
    'SKIPPED: there is no versitygw (.ci/versitygw builds it), so commands on buckets are not tested.',
  );

const data = `s3://${bucketName}/sea of ice`;

describe.skipIf(!hasS3Server)('commands on a store in a bucket', () => {
  let folder: string;
  let server: S3Server;
  beforeAll(async () => {
    Object.assign(process.env, s3Keys);
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-bucket-commands-'));
    server = await startS3Server();
    await writeFixtureStore(join(folder, 'data'));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function start(machine: string, ...args: string[]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'lazyscope.mjs'), ...args], {
      env: { ...process.env, AWS_ENDPOINT_URL: server.endpoint, LAZYSCOPE_CACHE: join(folder, machine) },
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    const status = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, said, status };
  }

  async function lazyscope(machine: string, ...args: string[]) {
    const { said, status } = start(machine, ...args);
    return { status: await status, ...said };
  }

  async function done(machine: string, ...args: string[]) {
    const { status, out, err } = await lazyscope(machine, ...args);
    expect(status, err).toBe(0);
    // Keys are in no line of any command.
    expect(out + err).not.toMatch(/lazyscope-tests|a-secret-of/);
    return out;
  }

  const training = [
    'train', '--capture=fixture', '--architecture=topk', '--k=4', '--width=96', '--seeds=0,1', '--tokens=64000',
    '--batch-size=64', '--checkpoint-every=50', '--name=new',
  ]; // prettier-ignore
  const commands = [
    ['evaluate', 'new'],
    ['index', 'new'],
    ['compare', 'new'],
  ];

  test('a killed training goes on elsewhere, and all that is made equals what a folder has', async () => {
    const local = join(folder, 'data');
    const sent = JSON.parse(await done('one', 'store', 'upload', data, `--data=${local}`, '--json'));
    expect(sent).toMatchObject({ url: data, kept: 0, leftOut: [] });
    expect(sent.files).toBeGreaterThan(30);

    const bucket = new Bucket(parseBucketAddress(data), { endpoint: server.endpoint });
    const keys = async () => (await bucket.list()).map(({ key }) => key);
    const killed = start('one', ...training, `--data=${data}`);
    await vi.waitFor(
      async () =>
        expect(
          (await keys()).filter((key) => key.startsWith('runs/new/checkpoints/step-')),
          killed.said.err,
        ).not.toEqual([]),
      { timeout: 60_000, interval: 20 },
    );
    killed.child.kill('SIGKILL');
    await killed.status;
    // Another machine has nothing but the bucket.
    await done('two', ...training, '--resume', `--data=${data}`);
    expect((await keys()).filter((key) => /^runs\/new\/(checkpoints|\.lock)/.test(key))).toEqual([]);
    for (const command of commands) await done('two', ...command, `--data=${data}`);

    await done('local', ...training, `--data=${local}`);
    for (const command of commands) await done('local', ...command, `--data=${local}`);
    await done('three', 'store', 'fetch', data, `--data=${join(folder, 'copy')}`);
    const made = (bytes: Map<string, string>) =>
      new Map([...bytes].filter(([path]) => /^(runs|comparisons)\/new/.test(path)));
    const expected = made(await finalBytes(local));
    expect(expected.size).toBeGreaterThan(10);
    expect(differences(made(await finalBytes(join(folder, 'copy'))), expected)).toEqual([]);
  });

  test('a server shows what is in the bucket, and changes labels there alone', async () => {
    const served = start(
      'one',
      'serve',
      `--data=${data}`,
      '--no-explorer',
      '--port=0',
      '--cache-size=1MB',
      '--json',
    );
    await vi.waitFor(() => expect(served.said.out, served.said.err).toContain('"url"'), { timeout: 60_000 });
    const { url } = JSON.parse(served.said.out) as { url: string };
    const input = encodeURIComponent(JSON.stringify({ run: 'new', seed: 0, latent: 2 }));
    const answer = await fetch(`${url}/trpc/features.get?input=${input}`);
    expect(await answer.json()).toMatchObject({ result: { data: { latent: 2, run: 'new' } } });
    const change = async (procedure: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const said = await fetch(`${url}/trpc/${procedure}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return JSON.stringify(await said.json());
    };
    expect(await change('jobs.cancel', { id: 'x' })).toContain(
      `The explorer changes nothing but labels and lists in '${data}': run commands with --data ${data}`,
    );
    const place = { run: 'new', seed: 0, latent: 2 };
    expect(await change('labels.set', { ...place, label: 'icebergs', note: '' })).toContain('icebergs');
    const bucket = new Bucket(parseBucketAddress(data), { endpoint: server.endpoint });
    expect(JSON.parse((await bucket.text('labels.json'))?.text ?? '')).toMatchObject({
      labels: expect.arrayContaining([expect.objectContaining({ ...place, label: 'icebergs' })]) as unknown,
    });
    bucket.close();
    const found = JSON.parse(await done('two', 'search', 'icebergs', '--json', `--data=${data}`));
    expect(JSON.stringify(found)).toContain('icebergs');
    served.child.kill('SIGINT');
    expect(await served.status, served.said.err).toBe(0);
  });

  test.each([
    [
      ['plan', 'sweep.yaml'],
      "'lazyscope plan' takes a folder as --data, because the scripts that it prints are for machines that share a folder",
    ],
    [
      ['publish', 'new', '--out=site'],
      "'lazyscope publish' takes a folder as --data, because it takes the files of a site from a folder",
    ],
    [
      ['jobs', 'list'],
      "'lazyscope jobs list' takes a folder as --data, because it asks the server of a folder",
    ],
    [
      ['store', 'index'],
      "'lazyscope store index' takes a folder as --data, because a store in a bucket needs no listing",
    ],
    [
      ['train', 'sweep.yaml', '--launcher=slurm'],
      '--launcher takes a folder as --data, because the tasks of Slurm leave their logs and results in one that they share: give --queue in its place',
    ],
  ])('%j is refused by name', async (args, why) => {
    const { status, out, err } = await lazyscope('one', ...args, `--data=${data}`);
    expect([status, out]).toEqual([2, '']);
    expect(err).toMatch(/^lazyscope: [^\n]*\n$/);
    expect(err).toContain(why);
    expect(err).toContain(`'lazyscope store fetch ${data} --data FOLDER'`);
  });

  test('a file that is there with another content is named in one line, and stays', async () => {
    const other = join(folder, 'other');
    await mkdir(join(other, 'captures'), { recursive: true });
    const size = 100_000;
    const upload = async (fill: number) => {
      await writeFile(join(other, 'captures', 'x.arrow'), Buffer.alloc(size, fill));
      return lazyscope('one', 'store', 'upload', `${data}/other`, `--data=${other}`);
    };
    expect(await upload(1)).toMatchObject({ status: 0 });
    expect(await upload(2)).toMatchObject({
      status: 2,
      err: `lazyscope: '${data}/other/captures/x.arrow' is there with another content: choose another prefix.\n`,
    });
  });

  test('an address with keys in it and a bucket that is not there are one line each', async () => {
    const line = async (at: string) => (await lazyscope('none', 'search', 'whale', `--data=${at}`)).err;
    expect(await line('s3://AKIA:secret@studies/x')).not.toContain('secret');
    expect(await line('s3://no-such-bucket/x')).toMatch(
      /^lazyscope: There is no bucket for 's3:\/\/no-such-bucket\/x' on '127[^\n]*\n$/,
    );
    // Nothing is left in the cache of a store that is not there.
    expect(existsSync(join(folder, 'none'))).toBe(false);
    // What is written to a bucket that is not there is nothing that a user knows of either.
    await mkdir(join(folder, 'small', 'captures'), { recursive: true });
    const upload = await lazyscope(
      'one',
      'store',
      'upload',
      's3://no-such-bucket/x',
      `--data=${join(folder, 'small')}`,
    );
    expect(upload.err).toMatch(
      /^lazyscope: There is no bucket for 's3:\/\/no-such-bucket\/x' on '127[^\n]*\n$/,
    );
    // A mistyped prefix is not an empty store.
    const fetched = await lazyscope(
      'one',
      'store',
      'fetch',
      `${data}-typo`,
      `--data=${join(folder, 'typo')}`,
    );
    expect(fetched).toMatchObject({
      status: 2,
      err: `lazyscope: There is no store at '${data}-typo': check the address.\n`,
    });
  });
});
