/** A job in parts, as its clients see it: one job, whose progress is the sum of that of its parts. */
import type { Part } from '../../sae/spec/part.ts';
import type { JobDetail, JobPart } from '../contract/jobs.ts';

/** Which jobs are parts of which. A part is not listed; what happens to it happens to the job that it is of. */
export class SplitJobs {
  readonly #parts = new Map<string, JobDetail[]>();
  readonly #places = new Map<string, { whole: string; part: Part }>();

  /** `job` stays as current as its owner keeps it. */
  add(job: JobDetail, part: Part, whole: string): void {
    const parts = this.#parts.get(whole) ?? [];
    parts[part.number - 1] = job;
    this.#parts.set(whole, parts);
    this.#places.set(job.id, { whole, part });
  }

  /** Undefined for a job that is no part. */
  place(id: string): { whole: string; part: Part } | undefined {
    return this.#places.get(id);
  }

  /** The parts of a job, in order. */
  partsOf(whole: string): JobDetail[] {
    return (this.#parts.get(whole) ?? []).filter((part) => part !== undefined);
  }

  /** The job as its clients see it. */
  shown(whole: JobDetail): JobDetail {
    const parts = this.partsOf(whole.id);
    return parts.length === 0 ? whole : splitJob(whole, parts);
  }
}

/**
 * `whole` puts together what `parts` make. While they run it waits, and the job is shown as running; once it runs itself, or has ended,
 * it speaks for the job.
 */
export function splitJob(whole: JobDetail, parts: readonly JobDetail[]): JobDetail {
  const all = [...parts, whole];
  const shown: JobDetail = { ...whole, parts: all.map(partOf) };
  if (whole.finishedAt !== null) return shown;
  const begun = all.flatMap(({ startedAt }) => startedAt ?? []).sort();
  if (begun.length === 0) return shown;
  const working = all.filter(({ status }) => status === 'running');
  const done = all.reduce((sum, job) => sum + shareDone(job), 0);
  const stage =
    whole.status === 'running'
      ? (whole.progress?.stage ?? 'putting the parts together')
      : `${parts.filter(({ finishedAt }) => finishedAt !== null).length} of ${parts.length} parts made`;
  return {
    ...shown,
    status: 'running',
    startedAt: begun[0],
    progress: { stage, done: Math.floor(100 * done) / 100, total: all.length, unit: 'parts' },
    ...(working.length > 0 && { worker: named(working.flatMap(({ worker }) => worker ?? [])) }),
  };
}

/** From 0 to 1. */
export function shareDone({
  status,
  progress,
  finishedAt,
}: Pick<JobDetail, 'status' | 'progress' | 'finishedAt'>): number {
  // What a part that failed has not made, the whole makes.
  if (status === 'done' || finishedAt !== null) return 1;
  return progress && progress.total > 0 ? Math.min(1, progress.done / progress.total) : 0;
}

function partOf(job: JobDetail): JobPart {
  return {
    status: job.status,
    worker: job.worker ?? null,
    attempt: job.attempt ?? null,
    done: shareDone(job),
  };
}

function named(workers: readonly string[]): string {
  const several = [...new Set(workers)];
  return several.length <= 2 ? several.join(', ') : `${several.length} workers`;
}
