/**
 * A job as it lies in Redis. Whoever can write there can write anything, so a worker parses what it takes by the schema of
 * `jobs.start`, in which a job names things of the store and never a path.
 */
import { z } from 'zod';
import { mostParts } from '../../sae/spec/part.ts';
import { jobStartInput } from '../contract/jobs.ts';
import { jobId } from '../contract/limits.ts';

const endingSchema = z.strictObject({
  status: z.enum(['failed', 'cancelled']),
  exitCode: z.number().nullable(),
  error: z.string().nullable(),
});
/** How a job ended that is not done. */
export type QueuedEnding = z.infer<typeof endingSchema>;

const queuedSchema = z.strictObject({
  version: z.literal(1),
  input: jobStartInput,
  createdAt: z.iso.datetime(),
  /** Jobs that must have ended before this one starts: they make what it reads, or read what it makes. */
  after: z.array(z.strictObject({ id: jobId, className: z.string().max(100) })).max(10_000),
  ending: endingSchema.optional(),
  /** Of a part: which one, and of which job. */
  part: z
    .strictObject({ number: z.int().min(1), of: z.int().min(1).max(mostParts), whole: jobId })
    .refine(({ number, of }) => number <= of)
    .optional(),
});
export type QueuedJob = z.infer<typeof queuedSchema>;

/** What the worker that has the job says of it. */
const stateSchema = z.object({
  /** How often it was begun. */
  attempt: z.number(),
  /** How often its process crashed, and how often it found what an earlier attempt still held. */
  crashes: z.number(),
  conflicts: z.number(),
  worker: z.string().nullable(),
  startedAt: z.string(),
  progress: z
    .object({
      stage: z.string(),
      done: z.number(),
      total: z.number(),
      unit: z.string(),
      values: z.record(z.string(), z.number()).exactOptional(),
      secondsLeft: z.number().exactOptional(),
    })
    .nullable(),
  /** How many lines its commands have written, and the last of them. */
  logged: z.number(),
  lines: z.array(z.string()),
});
export type QueuedState = z.infer<typeof stateSchema>;

/** Undefined for what is no job. */
export function readQueuedJob(data: unknown): QueuedJob | undefined {
  return queuedSchema.safeParse(data).data;
}

/** Undefined before a worker has begun the job. */
export function readQueuedState(progress: unknown): QueuedState | undefined {
  return stateSchema.safeParse(progress).data;
}
