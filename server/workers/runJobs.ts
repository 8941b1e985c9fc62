/** What a worker does: takes jobs while it has room for them, and runs each as a command of the command line. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describedJob, type JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { commandLine } from '../jobs/commandArguments.ts';
import { checkpointPatience, type Commands } from '../jobs/commands.ts';
import { keptLines, whyNotRun } from '../jobs/jobQueue.ts';
import { taskArguments } from '../jobs/tasks.ts';
import { whyEnded } from '../jobs/whyEnded.ts';
import type { Log } from '../log.ts';
import type { Lease, Leases } from './leases.ts';
import { freeBeside, type Resources } from './resources.ts';

export interface WorkerOptions {
  leases: Leases;
  commands: Commands;
  /** Jobs at a time. */
  concurrency: number;
  resources: Resources;
  log: Log;
  signal: AbortSignal;
}

/** Milliseconds between two looks for a job while there is none. */
const lookEvery = 300;
/** Attempts that a job has whose process is ended by a signal, as a full memory does. */
const mostCrashes = 3;
/** How often a job waits for a process of an earlier attempt, which ends once it notices that its worker is gone. */
const mostConflicts = 60;

/** Runs jobs until `signal` fires; those that run then write a checkpoint and go back into the queue. */
export async function runJobs({
  leases,
  commands,
  concurrency,
  resources,
  log,
  signal,
}: WorkerOptions): Promise<void> {
  const running = new Set<Promise<void>>();
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
  while (!signal.aborted) {
    const free = freeBeside(resources, leases.needs);
    const taking = running.size < concurrency ? leases.take(free) : Promise.resolve(undefined);
    const lease = await Promise.race([taking, stopped.then(() => undefined)]).catch((error: unknown) => {
      log('No job could be taken.', error);
    });
    if (lease) {
      const job = runLease(lease, commands, log, signal).catch((error: unknown) =>
        log(`Job '${lease.id}' could not be followed.`, error),
      );
      running.add(job);
      void job.finally(() => running.delete(job));
      // Where a job ends there is room for the next one at once.
    } else await Promise.race([sleep(lookEvery), stopped, ...running]);
  }
  await Promise.all(running);
}

async function runLease(lease: Lease, commands: Commands, log: Log, stopping: AbortSignal): Promise<void> {
  const { kind } = lease.input;
  const args = argumentsOf(lease);
  const said: string[] = [];
  let code: string | undefined;
  log(`Job '${lease.id}'${lease.attempt > 1 ? `, attempt ${lease.attempt}` : ''}: ${commandLine(args)}`);
  try {
    const running = commands.run(
      args,
      {
        progress: (progress) => lease.progress(progress),
        line: (line) => {
          said.push(line);
          if (said.length > keptLines) said.shift();
          lease.line(line);
        },
        failure: (given) => (code = given),
      },
      { LAZYSCOPE_LEASE: `${lease.id}:${lease.attempt}` },
    );
    const patience = describedJob(kind).checkpoints ? checkpointPatience : 1_000;
    const ask = () => running.stop(patience);
    whenAborted(lease.cancelled, ask);
    whenAborted(stopping, ask);
    whenAborted(lease.lost, () => running.stop(0));
    const { exitCode, signal, output } = await running.finished;
    if (lease.lost.aborted) return lease.forget();
    if (exitCode === 0) return await lease.done(JSON.parse(output));
    const cancelled = lease.cancelled.aborted && (exitCode === 130 || signal !== null);
    if (cancelled) return await lease.ended({ status: 'cancelled', exitCode, error: null });
    if (stopping.aborted && (exitCode === 130 || signal !== null)) return await lease.giveBack({ after: 0 });
    if (signal !== null && lease.crashes + 1 < mostCrashes)
      return await lease.giveBack({ after: 1_000 * 2 ** lease.crashes, crashed: true });
    if (code === 'conflict' && lease.attempt > 1 && lease.conflicts < mostConflicts)
      return await lease.giveBack({ after: 1_000, conflict: true });
    await lease.ended({ status: 'failed', exitCode, error: whyEnded({ exitCode, signal }, said) });
  } catch (error) {
    log(`Job '${lease.id}' failed.`, error);
    await lease.ended({ status: 'failed', exitCode: null, error: whyNotRun(error) });
  }
}

/** A job that was begun before goes on from its last checkpoint, where its kind has any. */
function argumentsOf({ input, part, attempt }: Lease): string[] {
  if (attempt === 1 || !('resume' in describedJob(input.kind).options))
    return taskArguments({ job: input, part });
  const { kind, options } = input;
  return taskArguments({ job: { kind, options: { ...options, resume: true } } as JobStartInput, part });
}

function whenAborted(signal: AbortSignal, work: () => void): void {
  if (signal.aborted) work();
  else signal.addEventListener('abort', work, { once: true });
}
