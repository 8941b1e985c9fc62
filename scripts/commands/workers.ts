/** `lazyscope workers`: the workers on a data folder, and what each of them does. */
import { Command } from 'commander';
import type { JobWorker } from '../../server/contract/jobs.ts';
import { environment } from '../commandLine/environment.ts';
import { withStoreOptions } from '../commandLine/options.ts';
import { runCommand, type Outcome, type Session } from '../commandLine/runCommand.ts';
import { figure, table } from '../commandLine/table.ts';

export function workersCommand(): Command {
  const command = new Command('workers').description('list the workers that take jobs from a Redis');
  return withStoreOptions(command)
    .requiredOption('--queue <address>', 'the Redis: redis://host:6379, or rediss://… for TLS')
    .action(({ queue }: { queue: string }) => runCommand(command, (session) => list(session, queue)));
}

async function list({ store, say }: Session, address: string): Promise<Outcome> {
  const { readQueueId } = await import('../../server/workers/queueId.ts');
  // Asking must not make the folder one of a queue.
  await readQueueId(store);
  const { openRedisQueue } = await import('../../server/workers/openRedisQueue.ts');
  const queue = await openRedisQueue({ store, address, password: environment.queuePassword, log: say });
  try {
    const workers = await queue.workers();
    const none = `No worker is there: start 'lazyscope worker --data ${store.root} --queue ${address}'.`;
    return { document: { workers }, text: workers.length === 0 ? none : workerTable(workers) };
  } finally {
    await queue.close();
  }
}

function workerTable(workers: readonly JobWorker[]): string {
  return table(
    ['worker', 'does', 'at a time', 'threads', 'GPUs', 'memory', 'heard'],
    workers.map((worker) => [
      worker.name,
      worker.gone ? 'is gone' : worker.jobs.map(doneBy).join(', ') || 'waits',
      worker.concurrency,
      worker.threads,
      worker.gpu,
      `${figure(worker.memory / 1e9, 1)} GB`,
      `${Math.max(0, Math.round((Date.now() - Date.parse(worker.heardAt)) / 1000))} s ago`,
    ]),
  );
}

function doneBy({ id, job, part }: JobWorker['jobs'][number]): string {
  if (!job) return id;
  return [job.kind, ...(part === null ? [] : [part]), ...(job.subject ? [job.subject.name] : [])].join(' ');
}
