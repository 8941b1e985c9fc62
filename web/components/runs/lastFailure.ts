import type { Job } from '../../../server/client.ts';

/** What the last job of a kind on a run gave as its error; undefined where it went well, or there was none. */
export function lastFailure(jobs: readonly Job[], kind: Job['kind'], run: string): string | undefined {
  const own = jobs.filter(
    (job) => job.kind === kind && 'run' in job.options && job.options.run === run && job.finishedAt !== null,
  );
  const last = own.reduce<Job | undefined>(
    (newest, job) => (newest && newest.createdAt > job.createdAt ? newest : job),
    undefined,
  );
  return last?.status === 'failed' ? (last.error ?? 'its output says why') : undefined;
}
