/**
 * Jobs are commands of the command line run by the server: each kind's options are the command's own, under
 * the same names, so that a job can be repeated in a terminal by copying its `command`.
 */
import { z } from 'zod';
import type { Progress } from '../../sae/progress.ts';
import type { JobDescription, JobSubject } from '../../sae/spec/jobs/job.ts';
import { describedJob, jobKinds, type JobKind, type JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { mostParts } from '../../sae/spec/part.ts';
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

/** Into how many jobs of workers or of Slurm its work is split, besides the one that puts together what they make. */
const parts = z.int().min(2).max(mostParts).optional();

const [first, ...others] = jobKinds.map((kind) =>
  z.strictObject({
    kind: z.literal(kind),
    options: optionsSchema(describedJob(kind)),
    ...(describedJob(kind).splits && { parts }),
  }),
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
  /** Of a job that is split: its parts in order, and the job itself as the last, which puts together what they make. */
  parts?: JobPart[];
}

/** One part of a job that is split. */
export interface JobPart {
  status: JobStatus;
  worker: string | null;
  attempt: number | null;
  /** From 0 to 1. */
  done: number;
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

/** A process that takes jobs, on this machine or on another one. */
export interface JobWorker {
  /** Host and process. */
  name: string;
  host: string;
  /** When it began, and when it was heard last; it says something every second. */
  since: string;
  heardAt: string;
  /** Whether it has said nothing for so long that it counts as gone: what it had is given to others when its leases run out. */
  gone: boolean;
  /** Jobs that it takes at a time. */
  concurrency: number;
  /** Threads of each; null where the worker is of an earlier version. */
  threads: number | null;
  /** What it has for them together: GPUs, and bytes of memory. */
  gpu: number;
  memory: number;
  jobs: WorkerJob[];
}

/** What a worker does. */
export interface WorkerJob {
  /** Of the job, or of what it is a part of; null where this server doesn't know it. */
  job: Job | null;
  id: string;
  /** As 2/5, of a job that is split. */
  part: string | null;
}
