/** Prepares the sweep and what it must leave, runs it on workers again and again until there were enough kills, and prints figures. */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../sae/numerics/random.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import { hasRedis, startRedis } from '../../server/fixtures/redisServer.ts';
import { writeFixtureStore } from '../../server/fixtures/writeFixtureStore.ts';
import { differences, finalBytes } from '../chaos/finalBytes.ts';
import { busyShare } from './busyShare.ts';
import { killedSweep, type Kills } from './killedSweep.ts';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');
/** Eight runs. */
const sweep = (tokens: number) => `
capture: fixture
tokens: ${tokens}
architectures: [topk, relu]
hooks: [blocks.0.hook_resid_post]
widths: [128, 192]
k: [4, 8]
sparsityCoefficients: [3, 5]
seeds: [0, 1]
settings: { batchSize: 64, checkpointEvery: 40 }
`;

/** Whether nothing was lost. */
export async function workersSuite(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      kills: { type: 'string', default: '6' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string' },
      minutes: { type: 'string', default: '600' },
      tokens: { type: 'string', default: '64000' },
      busy: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [kills, seed, workers, minutes, tokens] = [
    values.kills,
    values.seed,
    values.workers ?? (values.busy ? '4' : '2'),
    values.minutes,
    values.tokens,
  ].map(Number);
  if (![kills, seed, workers, tokens].every((one) => Number.isSafeInteger(one) && one > 0) || !(minutes > 0))
    throw new Error('--kills, --seed, --workers, --tokens and --minutes take numbers');
  if (!hasRedis) {
    process.stdout.write('workers: NOT DONE, redis-server is not installed.\n');
    return true;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-workers-'));
  try {
    const { capture, file, alone } = await prepare(folder, sweep(tokens));
    if (values.busy) {
      const share = await busyShare({ folder: join(folder, 'busy'), capture, file, workers });
      process.stdout.write(`${JSON.stringify(share)}\n`);
      return differences(await finalBytes(join(folder, 'busy', 'runs')), await alone()).length === 0;
    }
    const expected = await alone();
    const random = Random.fromSeed(seed, 'workers');
    const total: Kills = { workers: 0, redis: 0 };
    const failures: string[] = [];
    const started = performance.now();
    let rounds = 0;
    for (; total.workers + total.redis < kills && performance.now() - started < 60_000 * minutes; rounds++) {
      const store = join(folder, `round-${rounds}`);
      await cp(capture, new StoreLayout(store).captures(), { recursive: true });
      const most = kills - total.workers - total.redis;
      const redis = await startRedis();
      try {
        const { said, killed } = await killedSweep({ store, file, redis, workers, most, random });
        total.workers += killed.workers;
        total.redis += killed.redis;
        const different = differences(await finalBytes(join(store, 'runs')), expected);
        if (said !== undefined) failures.push(`round ${rounds}: ${said}`);
        if (different.length > 0) failures.push(`round ${rounds}: ${different.length} files differ: ${different.slice(0, 4).join(', ')}`); // prettier-ignore
      } finally {
        await redis.stop();
      }
      await rm(store, { recursive: true, force: true });
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    const report = { kills: total, rounds, seed, seconds, files: expected.size, failures };
    process.stdout.write(
      values.json
        ? `${JSON.stringify(report, null, 2)}\n`
        : `${failures.map((line) => `${line}\n`).join('')}workers: ${total.workers} kills of workers and ${total.redis} of Redis in ${rounds} sweeps of 8 runs, seed ${seed}: ${failures.length} failed, ${expected.size} files compared after each, ${seconds} s\n`,
    );
    return failures.length === 0;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A capture, the file of the sweep, and what the sweep makes on one machine that is left alone. */
async function prepare(folder: string, text: string) {
  const made = await writeFixtureStore(join(folder, 'fixture'));
  const file = join(folder, 'sweep.yaml');
  await writeFile(file, text);
  const alone = async () => {
    const store = join(folder, 'alone');
    await cp(made.captures(), new StoreLayout(store).captures(), { recursive: true });
    const child = spawn(process.execPath, [script, 'train', file, `--data=${store}`], { stdio: 'ignore' });
    const status = await new Promise((resolve) => child.once('exit', resolve));
    if (status !== 0) throw new Error(`the sweep failed undisturbed: status ${String(status)}`);
    return finalBytes(join(store, 'runs'));
  };
  return { capture: made.captures(), file, alone };
}
