/**
 * What a training takes on a capture in a bucket on this machine, with an empty cache and with a full one, beside the same training on a folder: whole
 * commands in turn, so that what else the machine does falls on all of them.
 *
 *     npx tsx scripts/bench/benchBucket.ts [ROUNDS]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bucketName, s3Keys, startS3Server } from '../../sae/fixtures/s3Server.ts';

const root = join(import.meta.dirname, '..', '..');
const rounds = Number(process.argv[2] ?? 5);
const folder = await mkdtemp(join(tmpdir(), 'lazyscope-bench-bucket-'));
const server = await startS3Server();
const data = join(folder, 'data');
const bucket = `s3://${bucketName}/bench`;

/** Seconds of wall-clock time. */
async function lazyscope(cache: string, ...args: string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'scripts', 'lazyscope.mjs'), ...args], {
    env: {
      ...process.env,
      ...s3Keys,
      AWS_ENDPOINT_URL: server.endpoint,
      LAZYSCOPE_CACHE: join(folder, cache),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(said);
  return (performance.now() - began) / 1000;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const training = (name: string, at: string) => [
  'train', '--capture=text', '--architecture=topk', '--k=16', '--width=2048', '--seeds=0,1', '--tokens=400000',
  '--checkpoint-every=100', `--name=${name}`, `--data=${at}`,
]; // prettier-ignore

try {
  const model = join(root, 'data', 'models', 'lazyscope-demo-relu');
  await lazyscope('none', 'capture', `--model=${model}`, '--text=dataset:moby-dick', '--hook=blocks.2.hook_resid_post', '--name=text', '--max-tokens=250000', '--dtype=float32', `--data=${data}`); // prettier-ignore
  await lazyscope('none', 'store', 'upload', bucket, `--data=${data}`);
  const taken: Record<'folder' | 'empty cache' | 'full cache', number[]> = {
    folder: [],
    'empty cache': [],
    'full cache': [],
  };
  for (let round = 0; round < rounds; round++) {
    taken.folder.push(await lazyscope('none', ...training(`folder-${round}`, data)));
    taken['empty cache'].push(await lazyscope(`cache-${round}`, ...training(`empty-${round}`, bucket)));
    taken['full cache'].push(await lazyscope(`cache-${round}`, ...training(`full-${round}`, bucket)));
  }
  const shard = await stat(join(data, 'captures/text/blocks.2.hook_resid_post/00000.arrow'));
  console.log(`first shard: ${shard.size} bytes; medians of ${rounds} rounds`);
  for (const [what, seconds] of Object.entries(taken))
    console.log(`${what.padEnd(12)} ${median(seconds).toFixed(2)} s, ${median(seconds.map((each, at) => each / taken.folder[at])).toFixed(3)} × folder`); // prettier-ignore
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
