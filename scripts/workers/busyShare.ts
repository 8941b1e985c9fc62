/** Which share of the cores several workers keep busy while they do a sweep of eight runs. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { StoreLayout } from '../../sae/store/layout.ts';
import { startRedis } from '../../server/fixtures/redisServer.ts';
import { openRedisQueue } from '../../server/workers/openRedisQueue.ts';
import { makeQueueId } from '../../server/workers/queueId.ts';
import { startWorker } from './workerProcess.ts';

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
  /** The same of every process of the machine; null where the system doesn't tell. */
  machineShare: number | null;
  /** Share of the time in which a worker had a job, over all workers. On a machine that others use too it is this that says whether workers wait. */
  workingShare: number;
}

export async function busyShare(options: {
  folder: string;
  capture: string;
  file: string;
  workers: number;
}): Promise<BusyShare> {
  const { folder, capture, file, workers: count } = options;
  const store = new StoreLayout(folder);
  await cp(capture, store.captures(), { recursive: true });
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
      [script, 'train', file, `--data=${folder}`, `--queue=${redis.address}`, '--json'],
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
    const processorSeconds = total(workers) - before.own;
    const machine = machineTicks();
    const queue = await openRedisQueue({ store, address: redis.address, log: () => {} });
    const spans = queue.list().map(({ startedAt, finishedAt }) => [startedAt, finishedAt].map((at) => Date.parse(at ?? ''))); // prettier-ignore
    await queue.close();
    const working = spans.reduce((sum, [from, to]) => sum + to - from, 0);
    const whole = Math.max(...spans.map(([, to]) => to)) - Math.min(...spans.map(([from]) => from));
    return {
      workingShare: working / (count * whole),
      workers: count,
      cores,
      seconds,
      processorSeconds,
      ownShare: processorSeconds / (cores * seconds),
      machineShare:
        machine && before.machine
          ? (machine.busy - before.machine.busy) / (machine.all - before.machine.all)
          : null,
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    await redis.stop();
  }
}

const total = (workers: readonly { processorSeconds(): number }[]) =>
  workers.reduce((sum, worker) => sum + worker.processorSeconds(), 0);

function machineTicks(): { busy: number; all: number } | null {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/);
    const all = ticks.slice(0, 8).reduce((sum, each) => sum + Number(each), 0);
    return { all, busy: all - Number(ticks[3]) - Number(ticks[4]) };
  } catch {
    return null;
  }
}
