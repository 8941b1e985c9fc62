/** What a server asks of the queue of its jobs, whether jobs run here (jobQueue.ts) or on workers (server/workers/redisQueue.ts). */
import { LazyscopeError } from '../../sae/errors.ts';
import type { Job, JobDetail, JobEvent, JobStartInput, JobWatchInput, JobWorker } from '../contract/jobs.ts';

/** A queue of jobs, as its clients see it. */
export interface Queue {
  /** Newest first. */
  list(): Job[];
  /** Throws 'not_found'. */
  get(id: string): JobDetail;
  /** Puts a job into the queue. Throws 'unavailable' where the queue is closing or does not answer. */
  start(input: JobStartInput): Promise<Job>;
  /** A running job is asked to stop and keeps what it has. Throws 'not_found', 'conflict' for a job that has ended. */
  cancel(id: string): Promise<Job>;
  /** Yields [event id, event]: first what the client missed, or a snapshot, then new events. With `id`, ends when that job has. */
  watch(input: JobWatchInput, signal?: AbortSignal): AsyncGenerator<[string, JobEvent]>;
  /** Who runs the jobs: this machine, workers or Slurm. */
  readonly where: 'here' | NonNullable<Job['where']>;
  /** The workers, by name, with those that have not been heard for some time; null where jobs don't run on workers. */
  workers(): Promise<JobWorker[] | null>;
  /** Throws 'unavailable' where the queue can't be reached at the moment. */
  ready(): Promise<void>;
  /** Subscriptions that are open. */
  readonly watchers: number;
  close(): Promise<void>;
}

/** What every queue answers when it is to cancel a job that has ended. */
export function notCancellable({ id, status }: Pick<Job, 'id' | 'status'>): LazyscopeError {
  return new LazyscopeError(
    'conflict',
    `Job '${id}' is ${status}: only a waiting or running one can be cancelled.`,
  );
}

/** What a queue of one machine answers to a job in parts. */
export function notSplit(): LazyscopeError {
  return new LazyscopeError(
    'bad_input',
    "Parts are for workers and Slurm, and this server has neither: leave 'parts' out, or start the server with --queue or --launcher slurm.",
  );
}
