/** Prepares the sweep and what it must leave, runs it on workers again and again until there were enough kills, and prints figures. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../sae/numerics/random.ts';
import { hasRedis, startRedis } from '../../server/fixtures/redisServer.ts';
import { differences } from '../chaos/finalBytes.ts';
import { busyShare } from './busyShare.ts';
import { killedCommands, type Kills } from './killedCommands.ts';
import { doneAlone, leavesParts, splitWork, sweepWork } from './killedWork.ts';

/** Whether nothing was lost. */
export async function workersSuite(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      kills: { type: 'string', default: '6' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string' },
      minutes: { type: 'string', default: '600' },
      tokens: { type: 'string' },
      busy: { type: 'boolean', default: false },
      split: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [kills, seed, workers, minutes, tokens] = [
    values.kills,
    values.seed,
    values.workers ?? (values.busy ? '4' : '2'),
    values.minutes,
    values.tokens ?? (values.busy ? '640000' : '64000'),
  ].map(Number);
  if (![kills, seed, workers, tokens].every((one) => Number.isSafeInteger(one) && one > 0) || !(minutes > 0))
    throw new Error('--kills, --seed, --workers, --tokens and --minutes take numbers');
  if (!hasRedis) {
    process.stdout.write('workers: NOT DONE, redis-server is not installed.\n');
    return true;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lazyscope-workers-'));
  try {
    const work = await (values.split
      ? splitWork(folder)
      : sweepWork(folder, { tokens, checkpointEvery: values.busy ? 500 : 40 }));
    if (values.busy) {
      const share = await busyShare({ folder: join(folder, 'busy'), work, workers });
      process.stdout.write(`${JSON.stringify(share)}\n`);
      const [made, expected] = [await work.made(join(folder, 'busy')), await doneAlone(work, join(folder, 'alone'))]; // prettier-ignore
      return differences(made, expected).length === 0;
    }
    const expected = await doneAlone(work, join(folder, 'alone'));
    const random = Random.fromSeed(seed, 'workers');
    const total: Kills = { workers: 0, redis: 0 };
    const failures: string[] = [];
    const started = performance.now();
    let rounds = 0;
    for (; total.workers + total.redis < kills && performance.now() - started < 60_000 * minutes; rounds++) {
      const store = join(folder, `round-${rounds}`);
      await work.prepare(store);
      const most = kills - total.workers - total.redis;
      const redis = await startRedis();
      try {
        const { commands } = work;
        const { said, documents, killed } = await killedCommands({ store, commands, redis, workers, most, random }); // prettier-ignore
        total.workers += killed.workers;
        total.redis += killed.redis;
        const different = differences(await work.made(store), expected);
        const wrong = said ?? work.wrong(documents);
        if (wrong !== undefined) failures.push(`round ${rounds}: ${wrong}`);
        if (different.length > 0) failures.push(`round ${rounds}: ${different.length} files differ: ${different.slice(0, 4).join(', ')}`); // prettier-ignore
        if (leavesParts(store)) failures.push(`round ${rounds}: parts are left`);
      } finally {
        await redis.stop();
      }
      await rm(store, { recursive: true, force: true });
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    const report = { work: work.name, kills: total, rounds, seed, seconds, files: expected.size, failures };
    process.stdout.write(
      values.json
        ? `${JSON.stringify(report, null, 2)}\n`
        : `${failures.map((line) => `${line}\n`).join('')}workers: ${total.workers} kills of workers and ${total.redis} of Redis in ${rounds} ${work.name}, seed ${seed}: ${failures.length} failed, ${expected.size} files compared after each, ${seconds} s\n`,
    );
    return failures.length === 0;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
