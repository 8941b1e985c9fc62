/**
 * A language model in a GGUF file that is kept in a bucket: captured from, trained on, and asked by commands and by a server of machines that never had the
 * file, with the same results as from a folder. Skipped, and said so, where there is no S3 server.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bucketName, hasS3Server, s3Keys, startS3Server, type S3Server } from '../sae/fixtures/s3Server.ts';
import { StoreLayout } from '../sae/store/layout.ts';

vi.setConfig({ testTimeout: 400_000, hookTimeout: 120_000 });
if (!hasS3Server)
  console.warn(
    'SKIPPED: there is no versitygw (.ci/versitygw builds it), so models in buckets are not tested.',
  );

const root = join(import.meta.dirname, '..');
const models = [
  join(root, 'sae/models/gguf/fixtures/gpt2.gguf'),
  // 135 million parameters, quantised.
  join(root, '../shared/models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf'),
].filter((path) => existsSync(path));
const text = join(root, 'sae/tokens/fixtures/text.txt');
const hook = 'blocks.0.hook_resid_post';
const typed = 'The quick brown fox';

describe.skipIf(!hasS3Server)('a model in a GGUF file in a bucket', () => {
  let folder: string;
  let server: S3Server;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lazyscope-gguf-bucket-'));
    server = await startS3Server();
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A machine has a cache of its own. */
  function start(machine: string, ...args: string[]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'lazyscope.mjs'), ...args], {
      env: {
        ...process.env,
        ...s3Keys,
        AWS_ENDPOINT_URL: server.endpoint,
        LAZYSCOPE_CACHE: join(folder, machine),
      },
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (part: string) => (said.out += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (said.err += part));
    const status = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, said, status };
  }

  async function done(machine: string, ...args: string[]): Promise<object> {
    const { said, status } = start(machine, ...args, '--json');
    expect(await status, said.err).toBe(0);
    return JSON.parse(said.out);
  }

  test.each(models.map((path) => [basename(path), path]))('%s', async (file, path) => {
    const local = new StoreLayout(join(folder, file, 'data'));
    const data = `s3://${bucketName}/${file}`;
    await mkdir(local.models(), { recursive: true });
    await copyFile(path, local.model(file));
    await done('one', 'store', 'upload', data, `--data=${local.root}`);

    const capture = [
      'capture', `--model=${file}`, `--text=${text}`, `--hook=${hook}`, '--max-tokens=512', '--context-length=16', '--name=letters',
    ]; // prettier-ignore
    const training = [
      'train', '--capture=letters', '--architecture=topk', '--k=4', '--width=32', '--tokens=2000', '--batch-size=64', '--name=small',
    ]; // prettier-ignore
    const features = ['features', 'small/0', `--text=${typed}`];
    const compute = ['--backend=native', '--threads=1'];
    for (const command of [capture, training]) {
      await done('one', ...command, ...compute, `--data=${data}`);
      await done('one', ...command, ...compute, `--data=${local.root}`);
    }
    // Nothing was written beside it, and nobody learns where it lay on the disk of the machine.
    const copy = new StoreLayout(join(folder, file, 'copy'));
    await done('two', 'store', 'fetch', data, `--data=${copy.root}`);
    expect(await readdir(copy.models())).toEqual([file]);
    const manifest = JSON.parse(await readFile(copy.captureManifest('letters'), 'utf8'));
    expect(manifest.model.folder).toBe(`models/${file}`);
    for (const one of [(store: StoreLayout) => store.dictionary('small', 0), (store: StoreLayout) => join(store.capture('letters'), manifest.hooks[0].shards[0].file)])
      expect((await readFile(one(copy))).equals(await readFile(one(local)))).toBe(true); // prettier-ignore

    const found = await done('two', ...features, ...compute, `--data=${data}`);
    expect(found).toEqual(await done('two', ...features, ...compute, `--data=${local.root}`));

    const served = start(
      'three',
      'serve',
      `--data=${data}`,
      '--no-explorer',
      '--port=0',
      '--json',
      ...compute,
    );
    await vi.waitFor(() => expect(served.said.out, served.said.err).toContain('"url"'), { timeout: 60_000 });
    const { url } = JSON.parse(served.said.out) as { url: string };
    const dictionaries = [{ run: 'small', seed: 0 }];
    // As many of everything as the command lists.
    const asked = { text: typed, dictionaries, strongest: 5, traced: 20, predictions: 3 };
    const input = encodeURIComponent(JSON.stringify(asked));
    const answer = await fetch(`${url}/trpc/playground.features?input=${input}`);
    expect(await answer.json(), served.said.err).toMatchObject({ result: { data: found } });
    served.child.kill('SIGINT');
    expect(await served.status, served.said.err).toBe(0);
  });
});
