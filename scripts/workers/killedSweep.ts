/** One sweep on workers, which are killed with SIGKILL while they compute, and so is Redis. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../sae/numerics/random.ts';
import { StoreLayout } from '../../sae/store/layout.ts';
import type { RedisServer } from '../../server/fixtures/redisServer.ts';
import { openRedisQueue } from '../../server/workers/openRedisQueue.ts';
import { startWorker } from './workerProcess.ts';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');

export interface Kills {
  workers: number;
  redis: number;
}

export interface KilledSweep {
  store: string;
  /** The sweep's file. */
  file: string;
  redis: RedisServer;
  /** How many at a time. */
  workers: number;
  /** Kills at most; fewer where the sweep is done before. */
  most: number;
  random: Random;
}

/** What went wrong, in words; nothing where every run is done. */
export async function killedSweep(
  options: KilledSweep,
): Promise<{ said: string | undefined; killed: Kills }> {
  const { store, file, redis, workers: count, most, random } = options;
  const killed: Kills = { workers: 0, redis: 0 };
  const data = `--data=${store}`;
  const sweep = spawn(process.execPath, [script, 'train', file, data, `--queue=${redis.address}`, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [document, said] = ['', ''];
  sweep.stdout.setEncoding('utf8').on('data', (text: string) => (document += text));
  sweep.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  const heard = { progress: 0, over: false };
  const status = new Promise<number | null>((resolve) =>
    sweep.once('exit', (code) => {
      heard.over = true;
      resolve(code);
    }),
  );
  const start = () => startWorker([`--queue=${redis.address}`, data, '--lease=2']);
  const queue = await openRedisQueue({
    store: new StoreLayout(store),
    address: redis.address,
    log: () => {},
  });
  const workers = Array.from({ length: count }, start);

  const watching = new AbortController();
  const watch = (async () => {
    for await (const [, { type }] of queue.watch({}, watching.signal))
      if (type === 'progress') heard.progress++;
  })();
  try {
    while (!heard.over && killed.workers + killed.redis < most) {
      // After each kill something is computed again, so that the sweep gets on, and then a moment is drawn.
      const { progress } = heard;
      while (!heard.over && heard.progress === progress) await sleep(50);
      await sleep(1_500 * random.uniform());
      if (heard.over) break;
      if (random.uniform() < 0.25) {
        await redis.kill();
        killed.redis++;
        await sleep(1_000 * random.uniform());
        await redis.start();
      } else {
        const at = random.below(count);
        await workers[at].end('SIGKILL');
        killed.workers++;
        workers[at] = start();
      }
    }
    const code = await status;
    if (code !== 0) return { said: `the sweep ended with status ${code}: ${said.slice(-600)}`, killed };
    const { runs } = JSON.parse(document) as { runs: { status: string }[] };
    const done = runs.filter((run) => run.status === 'complete').length;
    return { said: done === 8 ? undefined : `${done} of 8 runs are complete`, killed };
  } finally {
    watching.abort();
    await watch;
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    await queue.close();
    sweep.kill('SIGKILL');
  }
}
