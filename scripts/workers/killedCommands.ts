/** Commands whose jobs are done by workers, which are killed with SIGKILL while they compute, and so is Redis. */
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

export interface KilledCommands {
  store: string;
  /** Each is run until it ends, one after the other, with the queue added to it. */
  commands: readonly (readonly string[])[];
  redis: RedisServer;
  /** How many at a time. */
  workers: number;
  /** Kills at most; fewer where the commands are done before. */
  most: number;
  random: Random;
}

/** What went wrong, in words, and nothing where every command has ended well; what each command printed. */
export async function killedCommands(
  options: KilledCommands,
): Promise<{ said: string | undefined; documents: unknown[]; killed: Kills }> {
  const { store, commands, redis, workers: count, most, random } = options;
  const killed: Kills = { workers: 0, redis: 0 };
  const documents: unknown[] = [];
  const common = [`--data=${store}`, `--queue=${redis.address}`];
  const start = () => startWorker([...common, '--lease=2']);
  const queue = await openRedisQueue({
    store: new StoreLayout(store),
    address: redis.address,
    log: () => {},
  });
  const workers = Array.from({ length: count }, start);
  const heard = { progress: 0, over: false, starting: false };
  /** Resolves when Redis is there again: a command that begins needs it, while one that waits finds it again. */
  let there = Promise.resolve();
  const watching = new AbortController();
  const watch = (async () => {
    for await (const [, { type }] of queue.watch({}, watching.signal))
      if (type === 'progress') heard.progress++;
  })();
  const killing = (async () => {
    while (!heard.over && killed.workers + killed.redis < most) {
      // After each kill something is computed again, so that the work gets on, and then a moment is drawn.
      const { progress } = heard;
      while (!heard.over && heard.progress === progress) await sleep(50);
      await sleep(1_500 * random.uniform());
      if (heard.over) break;
      if (random.uniform() < 0.25 && !heard.starting) {
        killed.redis++;
        there = (async () => {
          await redis.kill();
          await sleep(1_000 * random.uniform());
          await redis.start();
        })();
        await there;
      } else {
        const at = random.below(count);
        await workers[at].end('SIGKILL');
        killed.workers++;
        workers[at] = start();
      }
    }
  })();
  try {
    for (const command of commands) {
      await there;
      heard.starting = true;
      const begun = () => (heard.starting = false);
      const { code, document, said } = await run([...command, ...common, '--json'], begun);
      if (code !== 0)
        return { said: `'${command.slice(0, 2).join(' ')}' ended with status ${code}: ${said.slice(-600)}`, documents, killed }; // prettier-ignore
      documents.push(JSON.parse(document));
    }
    return { said: undefined, documents, killed };
  } finally {
    heard.over = true;
    await killing;
    watching.abort();
    await watch;
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    await queue.close();
  }
}

/** Runs the command line, and says what it wrote; `begun` is called once its jobs are in the queue. */
async function run(
  args: readonly string[],
  begun: () => void,
): Promise<{ code: number | null; document: string; said: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [document, said] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (document += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
    if (said.includes('put into the queue')) begun();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, document, said };
}
