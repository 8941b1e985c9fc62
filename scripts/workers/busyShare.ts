/** Which share of the cores several workers keep busy while they do a sweep of eight runs. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { StoreLayout } from '../../sae/store/layout.ts';
import { startRedis } from '../../server/fixtures/redisServer.ts';
import { openRedisQueue } from '../../server/workers/openRedisQueue.ts';
import { makeQueueId } from '../../server/workers/queueId.ts';
import type { KilledWork } from './killedWork.ts';
import { processorSeconds, startWorker } from './workerProcess.ts';

const script = join(import.meta.dirname, '..', 'lazyscope.mjs');

export interface BusyShare {
  workers: number;
  cores: number;
  /** From the first job that starts to the last one that ends. */
  seconds: number;
  /** Processor time of the workers and their jobs. */
  processorSeconds: number;
  /** `processorSeconds` by cores and seconds. */
  ownShare: number;
  /** Processor time of everything else on the machine, by cores and seconds; null where the system doesn't tell. */
  othersShare: number | null;
  /**
   * What the workers took of what the others left: processorSeconds / (cores · seconds − others' seconds). Others also fill the gaps that
   * workers leave, so that it is too high on a machine that is busy, and right on one that is not.
   */
  shareOfFree: number | null;
  /** Share of the time in which a worker had a job, over all workers: from when it took it to when it had told of its end. */
  workingShare: number;
  /** Processor seconds that a job takes which only starts and ends, as a share of `processorSeconds` for all jobs. */
  startShare: number;
}

export async function busyShare(options: {
  folder: string;
  work: KilledWork;
  workers: number;
}): Promise<BusyShare> {
  const { folder, work, workers: count } = options;
  const store = new StoreLayout(folder);
  await work.prepare(folder);
  await makeQueueId(store);
  const redis = await startRedis();
  const workers = Array.from({ length: count }, () =>
    startWorker([`--queue=${redis.address}`, `--data=${folder}`]),
  );
  try {
    // Node has started and loaded what it needs before the time counts.
    while (workers.some((worker) => !worker.said().includes('takes jobs')))
      await new Promise((resolve) => setTimeout(resolve, 50));
    const before = { machine: machineTicks(), own: total(workers), at: performance.now() };
    const sweep = spawn(
      process.execPath,
      [script, ...work.commands[0], `--data=${folder}`, `--queue=${redis.address}`, '--json'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    sweep.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (!text.includes(': running')) return;
      sweep.stderr.removeAllListeners('data').resume();
      Object.assign(before, { machine: machineTicks(), own: total(workers), at: performance.now() });
    });
    const status = await new Promise((resolve) => sweep.once('exit', resolve));
    if (status !== 0) throw new Error(`the sweep ended with status ${String(status)}`);
    const seconds = (performance.now() - before.at) / 1000;
    const cores = availableParallelism();
    const own = total(workers) - before.own;
    const ticks = machineTicks();
    const queue = await openRedisQueue({ store, address: redis.address, log: () => {} });
    const spans = queue.list().map(({ startedAt, finishedAt }) => [startedAt, finishedAt].map((at) => Date.parse(at ?? ''))); // prettier-ignore
    await queue.close();
    const working = spans.reduce((sum, [from, to]) => sum + to - from, 0);
    const whole = Math.max(...spans.map(([, to]) => to)) - Math.min(...spans.map(([from]) => from));
    const busy = ticks && before.machine && (ticks - before.machine) / 100;
    const others = busy === null ? null : Math.max(0, busy - own);
    const starting = emptyJobSeconds(folder);
    return {
      workingShare: working / (count * whole),
      workers: count,
      cores,
      seconds,
      processorSeconds: own,
      ownShare: own / (cores * seconds),
      othersShare: others === null ? null : others / (cores * seconds),
      shareOfFree: others === null ? null : own / (cores * seconds - others),
      startShare: (spans.length * starting) / own,
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    await redis.stop();
  }
}

const total = (workers: readonly { processorSeconds(): number }[]) =>
  workers.reduce((sum, worker) => sum + worker.processorSeconds(), 0);

/** Hundredths of a second in which any core was busy. */
function machineTicks(): number | null {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/);
    const all = ticks.slice(0, 8).reduce((sum, each) => sum + Number(each), 0);
    return all - Number(ticks[3]) - Number(ticks[4]);
  } catch {
    return null;
  }
}

/** Processor seconds of a training that is done already: what a job takes to start, read and end. */
function emptyJobSeconds(folder: string): number {
  const [name] = readdirSync(new StoreLayout(folder).runs());
  const before = processorSeconds(process.pid);
  spawnSync(process.execPath, [script, 'train', `--name=${name}`, '--resume', `--data=${folder}`]);
  return processorSeconds(process.pid) - before;
}
