/**
 * Which jobs may run beside each other. A job waits for those before it, so that none is overtaken for ever, until what its kind
 * needs is free and no running job makes what it reads, or reads what it makes.
 */
import { availableParallelism, totalmem } from 'node:os';
import type { JobNeeds } from '../../sae/spec/jobs/job.ts';
import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import { bytesOf } from '../../sae/spec/sizes.ts';
import type { Job } from '../contract/jobs.ts';

/** What there is for jobs. */
export interface Machine {
  cores: number;
  /** Bytes, of the container where the process is in one. */
  memory: number;
  /** Bytes that a process could still have at this moment. */
  freeMemory(): number;
  /** Threads that a job is told to use; all cores when absent. */
  threads?: number | undefined;
  /** Whether jobs may compute on a GPU. There is one, and a job on it is alone there. */
  gpu(): boolean;
}

export function thisMachine(options: Pick<Machine, 'threads' | 'gpu'>): Machine {
  const limit = process.constrainedMemory();
  return {
    cores: availableParallelism(),
    // Without a limit Linux reports one that is larger than any memory.
    memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    freeMemory: () => process.availableMemory(),
    ...options,
  };
}

const wholeMachine: JobNeeds = { cores: 'all', memory: 1, gpu: true };

interface Share {
  cores: number;
  bytes: number;
  gpu: boolean;
}

/** What is set aside for a job on this machine: never more than there is. */
export function shareOf({ kind, options }: Pick<Job, 'kind' | 'options'>, machine: Machine): Share {
  const { needs = wholeMachine, options: table } = describedJob(kind);
  const given = Object.entries(options).find(([name]) => table[name]?.field.type === 'size')?.[1];
  const limit = typeof given === 'string' ? bytesOf(given) : NaN;
  const threads = Math.min(machine.threads ?? machine.cores, machine.cores);
  return {
    cores: needs.cores === 'all' ? threads : Math.min(needs.cores, threads),
    bytes: Math.min(Number.isNaN(limit) ? needs.memory * machine.memory : limit, machine.memory),
    gpu: needs.gpu,
  };
}

/** Whether `next` may start while `running` go on. */
export function fitsBeside(next: Job, running: readonly Job[], machine: Machine): boolean {
  if (running.length === 0) return true;
  const share = shareOf(next, machine);
  const taken = running.map((job) => shareOf(job, machine));
  const cores = taken.reduce((sum, one) => sum + one.cores, share.cores);
  const bytes = taken.reduce((sum, one) => sum + one.bytes, share.bytes);
  return (
    cores <= machine.cores &&
    bytes <= machine.memory &&
    share.bytes <= machine.freeMemory() &&
    running.every((job) => !interferes(next, job)) &&
    !(share.gpu && taken.some(({ gpu }) => gpu) && machine.gpu())
  );
}

/** Whether one of two jobs makes something that the other makes or reads. */
export function interferes(a: Job, b: Job): boolean {
  // The names of what they make are not known before they have said them.
  if (makesUnnamed(a) || makesUnnamed(b)) return true;
  return namesIn(a).has(b.subject?.name ?? '') || namesIn(b).has(a.subject?.name ?? '');
}

function makesUnnamed(job: Job): boolean {
  return job.subject === null;
}

/** The captures, runs and comparisons that a job names. */
function namesIn({ kind, options, subject }: Job): Set<string> {
  const table = describedJob(kind).options;
  const names = Object.entries<unknown>(options).flatMap(([name, value]) => {
    const type = table[name]?.field.type;
    if (type === 'name') return [String(value)];
    return type === 'dictionary' && typeof value === 'object' && value !== null && 'run' in value
      ? [String(value.run)]
      : [];
  });
  return new Set(subject ? [...names, subject.name] : names);
}
