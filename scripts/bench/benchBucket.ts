/**
 * What commands take on a capture in a bucket on this machine, with an empty cache, with a full one and with one that the capture doesn't fit, beside the
 * same commands on a folder: whole commands in turn, so that what else the machine does falls on all of them. With a latency and a rate the bucket is behind a
 * link of these.
 *
 *     npx tsx scripts/bench/benchBucket.ts [ROUNDS] [MILLISECONDS MEGABYTES_A_SECOND]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bucketName, s3Keys, startS3Server } from '../../sae/fixtures/s3Server.ts';
import { startSlowLink } from './slowLink.ts';

const root = join(import.meta.dirname, '..', '..');
const rounds = Number(process.argv[2] ?? 5);
const [latency, megabytes] = [Number(process.argv[3] ?? 0), Number(process.argv[4] ?? Infinity)];
const folder = await mkdtemp(join(tmpdir(), 'lazyscope-bench-bucket-'));
const server = await startS3Server();
const link = await startSlowLink(server.endpoint, { latency, bytesPerSecond: megabytes * 1e6 });
const data = join(folder, 'data');
const bucket = `s3://${bucketName}/bench`;
const captured = join(data, 'captures/text/blocks.2.hook_resid_post');
let captureBytes = 0;

/** Seconds of wall-clock time, and bytes that came from the bucket. */
async function lazyscope(cache: string, args: readonly string[], size = '10GB') {
  const began = performance.now();
  const before = link.received();
  const child = spawn(process.execPath, [join(root, 'scripts', 'lazyscope.mjs'), ...args], {
    env: {
      ...process.env,
      ...s3Keys,
      AWS_ENDPOINT_URL: link.endpoint,
      LAZYSCOPE_CACHE: join(folder, cache),
      LAZYSCOPE_CACHE_SIZE: size,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(said);
  return { seconds: (performance.now() - began) / 1000, bytes: link.received() - before };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const training = (name: string, at: string) => [
  'train', '--capture=text', '--architecture=topk', '--k=16', '--width=2048', '--seeds=0,1', '--tokens=400000',
  '--checkpoint-every=100', `--name=${name}`, `--data=${at}`,
]; // prettier-ignore
const evaluation = (at: string) => ['evaluate', 'folder-0', '--seeds=0', `--data=${at}`];

try {
  const model = join(root, 'data', 'models', 'lazyscope-demo-relu');
  await lazyscope('none', ['capture', `--model=${model}`, '--text=dataset:moby-dick', '--hook=blocks.2.hook_resid_post', '--name=text', '--max-tokens=250000', '--dtype=float32', '--shard-bytes=4000000', `--data=${data}`]); // prettier-ignore
  await lazyscope('none', training('folder-0', data));
  await lazyscope('none', ['store', 'upload', bucket, `--data=${data}`]);
  const shards = await readdir(captured);
  for (const shard of shards) captureBytes += (await stat(join(captured, shard))).size;
  // Not half of the capture, and the tokens.
  const small = `${Math.round(captureBytes * 0.4 + 1e6)}`;
  const taken: Record<string, { seconds: number; bytes: number }[]> = {};
  const take = async (what: string, ...given: Parameters<typeof lazyscope>) =>
    (taken[what] ??= []).push(await lazyscope(...given));
  for (let round = 0; round < rounds; round++) {
    await take('train, folder', 'none', training(`folder-${round + 1}`, data));
    await take('train, empty cache', `cache-${round}`, training(`empty-${round}`, bucket));
    await take('train, full cache', `cache-${round}`, training(`full-${round}`, bucket));
    await take('train, small cache', `small-${round}`, training(`small-${round}`, bucket), small);
    await take('evaluate, folder', 'none', evaluation(data));
    await take('evaluate, empty cache', `evaluate-${round}`, evaluation(bucket));
    await take('evaluate, full cache', `evaluate-${round}`, evaluation(bucket));
  }
  const far = megabytes === Infinity ? 'no link between' : `a link of ${latency} ms and ${megabytes} MB/s`;
  console.log(`${(captureBytes / 1e6).toFixed(0)} MB in ${shards.length} shards; ${far}; medians of ${rounds} rounds`); // prettier-ignore
  for (const [what, each] of Object.entries(taken)) {
    const folders = taken[`${what.split(',')[0]}, folder`];
    const ratio = median(each.map(({ seconds }, at) => seconds / folders[at].seconds));
    console.log(`${what.padEnd(22)} ${median(each.map(({ seconds }) => seconds)).toFixed(2)} s, ${ratio.toFixed(3)} × folder, ${(median(each.map(({ bytes }) => bytes)) / 1e6).toFixed(0)} MB fetched`); // prettier-ignore
  }
} finally {
  await link.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
