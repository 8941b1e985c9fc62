/** What a job needs of a worker and what a worker has for its jobs: `gpu=1,memory=16GB`. */
import { LazyscopeError } from '../../sae/errors.ts';
import { describedJob } from '../../sae/spec/jobs/jobs.ts';
import { bytesOf } from '../../sae/spec/sizes.ts';
import type { Job } from '../contract/jobs.ts';

export interface Resources {
  /** Number of GPUs. */
  readonly gpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** Throws 'bad_input'. What the text leaves out is as in `otherwise`. */
export function parseResources(text: string, otherwise: Resources): Resources {
  const values = { ...otherwise };
  for (const part of text.split(',')) {
    const [, name, value] = /^(gpu|memory)=(\S+)$/.exec(part.trim()) ?? [];
    const amount = name === 'gpu' ? Number(value) : bytesOf(value ?? '');
    const sound = name === 'gpu' ? Number.isInteger(amount) && amount >= 0 && amount <= 1024 : amount > 0;
    if (name === undefined || !sound)
      throw new LazyscopeError(
        'bad_input',
        `'${part}' is no resource: give a list like gpu=1,memory=16GB, of either or both.`,
      );
    values[name as keyof Resources] = amount;
  }
  return values;
}

/** What a job needs where nobody said it: no GPU, and the memory that one of its options sets. */
export function resourcesOf({ kind, options }: Pick<Job, 'kind' | 'options'>): Resources {
  const table = describedJob(kind).options;
  const size = Object.entries(options).find(([name]) => table[name]?.field.type === 'size')?.[1];
  return { gpu: 0, memory: typeof size === 'string' ? bytesOf(size) : 0 };
}

/** Jobs with the same needs share a queue in Redis, so that a worker takes none that it has no room for. */
export function classOf({ gpu, memory }: Resources): string {
  return `gpu${gpu}-memory${memory}`;
}

/** Undefined for a name that is none. */
export function resourcesOfClass(name: string): Resources | undefined {
  const [, gpu, memory] = /^gpu(\d+)-memory(\d+)$/.exec(name) ?? [];
  return gpu === undefined ? undefined : { gpu: Number(gpu), memory: Number(memory) };
}

export function fits(need: Resources, free: Resources): boolean {
  return need.gpu <= free.gpu && need.memory <= free.memory;
}

/** What is left of `free` beside jobs with these needs. */
export function freeBeside(free: Resources, needs: readonly Resources[]): Resources {
  return {
    gpu: needs.reduce((left, { gpu }) => left - gpu, free.gpu),
    memory: needs.reduce((left, { memory }) => left - memory, free.memory),
  };
}
