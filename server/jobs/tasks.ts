/**
 * A job as what is run of it: one command, or the commands of its parts and then one that puts together what they make. Workers, Slurm
 * and Kubernetes all run these.
 */
import type { JobStartInput } from '../../sae/spec/jobs/jobs.ts';
import { printPart, type Part } from '../../sae/spec/part.ts';
import { commandArguments } from './commandArguments.ts';

/** One command. */
export interface Task {
  readonly job: JobStartInput;
  /** Absent for the whole job, which takes what parts have left. */
  readonly part?: Part | undefined;
}

/** The tasks of a job in stages: those of one stage wait for all of the stage before. */
export function stagesOf(job: JobStartInput): Task[][] {
  const { parts } = job;
  if (parts === undefined) return [[{ job }]];
  const all = Array.from({ length: parts }, (_, at) => ({ job, part: { number: at + 1, of: parts } }));
  return [all, [{ job }]];
}

export function taskArguments({ job, part }: Task): string[] {
  return [...commandArguments(job), ...(part ? [`--part=${printPart(part)}`] : [])];
}
