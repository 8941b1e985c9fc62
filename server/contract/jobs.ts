/**
 * Jobs are commands of the command line run by the server: each kind's options are the command's own, under
 * the same names, so that a job can be repeated in a terminal by copying its `command`.
 */
import { z } from 'zod';
import { architectureNames } from '../../sae/spec/architectures/architectures.ts';
import type { Progress } from '../../sae/progress.ts';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'use letters, digits, dot, dash and underscore');
const hook = z.string().min(1).max(100);
/** A model by its name in the store; a server does not open other folders for a client. */
const model = name;
/** Texts that come with the package. A server does not read other files for a client. */
export const datasets = ['dataset:moby-dick', 'dataset:sotu'] as const;
const text = z.enum(datasets);
const size = z.string().regex(/^\d+(\.\d+)?[kMGT]?B?$/i, 'use a size like 800MB or 2GB');
const seeds = z.array(z.int().nonnegative()).min(1).max(64);

export const captureOptions = z.strictObject({
  model,
  text,
  hooks: z.array(hook).min(1),
  name: name.optional(),
  contextLength: z.int().min(2).optional(),
  maxTokens: z.int().positive().optional(),
  dtype: z.enum(['float16', 'float32']).optional(),
});

export const trainOptions = z.strictObject({
  architecture: z.enum(architectureNames),
  capture: name,
  hook: hook.optional(),
  name: name.optional(),
  width: z.int().positive().optional(),
  seeds: seeds.optional(),
  tokens: z.int().positive().optional(),
  batchSize: z.int().positive().optional(),
  learningRate: z.number().positive().optional(),
  k: z.int().positive().optional(),
  sparsityCoefficient: z.number().nonnegative().optional(),
  targetL0: z.number().positive().optional(),
  resume: z.boolean().optional(),
});

const dictionaryOptions = z.strictObject({
  run: name,
  /** All seeds of the run when absent. */
  seeds: seeds.optional(),
  maxTokens: z.int().positive().optional(),
});
const dictionary = z.strictObject({ run: name, seed: z.int().nonnegative() });

export const jobStartInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('capture'), options: captureOptions }),
  z.strictObject({ kind: z.literal('train'), options: trainOptions }),
  z.strictObject({ kind: z.literal('evaluate'), options: dictionaryOptions }),
  z.strictObject({ kind: z.literal('index'), options: dictionaryOptions.omit({ maxTokens: true }) }),
  z.strictObject({
    kind: z.literal('compare'),
    options: z.strictObject({
      a: dictionary,
      b: dictionary,
      name: name.optional(),
      threshold: z.number().min(0).max(1).optional(),
      /** Put b's latents in the place of a's and ask the model. */
      swap: z.boolean().optional(),
      /** What the process may take at most, as the command line spells it. */
      memory: size.optional(),
      gap: z.number().positive().optional(),
      maxTokens: z.int().positive().optional(),
    }),
  }),
  z.strictObject({
    kind: z.literal('map'),
    options: z.strictObject({
      comparison: name,
      /** Of both dictionaries together. */
      points: z.int().positive().optional(),
    }),
  }),
  z.strictObject({
    kind: z.literal('sparsity'),
    options: z.strictObject({
      model,
      text,
      name: name.optional(),
      maxTokens: z.int().positive().optional(),
      contextLength: z.int().min(2).optional(),
    }),
  }),
]);
export type JobStartInput = z.infer<typeof jobStartInput>;
export type JobKind = JobStartInput['kind'];

export const jobStatuses = ['queued', 'running', 'done', 'failed', 'cancelled', 'lost'] as const;
/** `lost`: the server stopped while it was queued or running. */
export type JobStatus = (typeof jobStatuses)[number];

export interface Job {
  id: string;
  kind: JobKind;
  options: JobStartInput['options'];
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
}

export interface JobDetail extends Job {
  /** The last lines the command wrote besides progress. */
  log: string[];
  /** The JSON document a finished command printed. */
  result: unknown;
}

export const jobInput = z.object({ id: z.string().min(1) });

export const jobWatchInput = z.object({
  /** One job only. */
  id: z.string().min(1).optional(),
  /** Set by the client library when it reconnects: events after this one are sent again. */
  lastEventId: z.string().nullish(),
});
export type JobWatchInput = z.infer<typeof jobWatchInput>;

/** The job as it is after something happened to it. The first events of a subscription are the jobs as they stand. */
export interface JobEvent {
  type: 'snapshot' | 'status' | 'progress' | 'log';
  job: Job;
  /** Of a `log` event. */
  line?: string;
}
