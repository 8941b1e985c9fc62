/**
 * Jobs are commands of the command line run by the server: each kind's options are the command's own, under
 * the same names, so that a job can be repeated in a terminal by copying its `command`.
 */
import { z } from 'zod';
import type { Progress } from '../../sae/progress.ts';
import type { JobDescription, JobSubject } from '../../sae/spec/jobs/job.ts';
import { describedJob, jobKinds, type JobKind, type JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { fieldSchema } from '../../sae/spec/schema.ts';
import { jobId } from './limits.ts';

export type { JobKind, JobStartInput };

function optionsSchema({ options }: JobDescription): z.ZodType {
  const offered = Object.entries(options).filter(([, { form }]) => form !== undefined);
  return z.strictObject(
    Object.fromEntries(
      offered.map(([name, { field, required }]) => [
        name,
        required ? fieldSchema(field) : fieldSchema(field).optional(),
      ]),
    ),
  );
}

const [first, ...others] = jobKinds.map((kind) =>
  z.strictObject({ kind: z.literal(kind), options: optionsSchema(describedJob(kind)) }),
);
export const jobStartInput = z.discriminatedUnion('kind', [first, ...others]) as unknown as z.ZodType<
  JobStartInput,
  JobStartInput
>;

export const jobStatuses = ['queued', 'running', 'done', 'failed', 'cancelled', 'lost'] as const;
/** `lost`: the server stopped while it was queued or running. */
export type JobStatus = (typeof jobStatuses)[number];

/** A command that the server ran, runs or will run. */
export interface Job {
  id: string;
  kind: JobKind;
  options: JobStartInput['options'];
  /** What it makes or looks at; null until the command has said its name. */
  subject: { what: JobSubject['what']; name: string } | null;
  /** The command line that does the same. */
  command: string;
  status: JobStatus;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  exitCode: number | null;
  progress: Progress | null;
  /** The one line a failed command gave. */
  error: string | null;
  /** Who runs it, where that isn't the server's machine. */
  where?: 'workers' | 'slurm';
  /** Of such a job, the host and process, or the node, that runs it or ran it. */
  worker?: string;
  /** How often such a job was begun. */
  attempt?: number;
}

/** A job with its output. */
export interface JobDetail extends Job {
  /** The last lines the command wrote besides progress. */
  log: string[];
  /** The JSON document a finished command printed. */
  result: unknown;
}

export const jobInput = z.object({ id: jobId });

export const jobWatchInput = z.object({
  /** One job only. */
  id: jobId.optional(),
  /** Set by the client library when it reconnects: events after this one are sent again. */
  lastEventId: z.string().max(100).nullish(),
});
export type JobWatchInput = z.infer<typeof jobWatchInput>;

/** The job as it is after something happened to it. The first events of a subscription are the jobs as they stand. */
export interface JobEvent {
  type: 'snapshot' | 'status' | 'progress' | 'log';
  job: Job;
  /** Of a `log` event. */
  line?: string;
}
