/** The kinds of jobs, by the name of their command, in the order in which they are listed. */
import { capture } from './capture.ts';
import { compare } from './compare.ts';
import { consensus } from './consensus.ts';
import { evaluate } from './evaluate.ts';
import { exportDictionary } from './export.ts';
import { importDictionaries } from './import.ts';
import { index } from './index.ts';
import type { CommandValues, JobDescription, JobValues } from './job.ts';
import { label } from './label.ts';
import { lmTrain } from './lmTrain.ts';
import { map } from './map.ts';
import { matchings } from './matchings.ts';
import { probe } from './probe.ts';
import { reproducibility } from './reproducibility.ts';
import { sparsity } from './sparsity.ts';
import { train } from './train.ts';

/** The description of every kind of job. */
export const jobs = {
  lmTrain,
  capture,
  train,
  import: importDictionaries,
  export: exportDictionary,
  evaluate,
  probe,
  index,
  label,
  compare,
  consensus,
  reproducibility,
  matchings,
  map,
  sparsity,
} as const satisfies Record<string, JobDescription>;

/** The name of a kind of job, which is mostly that of its command. */
export type JobKind = keyof typeof jobs;
/** Every kind of job, in the order in which they are listed. */
export const jobKinds = Object.keys(jobs) as readonly JobKind[];

/** What a job is started with: its kind, its options under the names of the table and, of kinds that can be split, into how many parts. */
export type JobStartInput = {
  [Kind in JobKind]: {
    kind: Kind;
    options: JobValues<(typeof jobs)[Kind]['options']>;
    parts?: number | undefined;
  };
}[JobKind];

/** What the command of a kind is given. */
export type CommandOptionsOf<Kind extends JobKind> = CommandValues<(typeof jobs)[Kind]['options']>;

/** The words that start a kind on the command line. */
export function commandWords(kind: JobKind): readonly string[] {
  return describedJob(kind).command ?? [kind];
}

/** The description without the types of its options, for code that treats all kinds alike. */
export function describedJob(kind: JobKind): JobDescription {
  return jobs[kind];
}
