/** Options that several kinds of jobs have. */
import { datasetNames } from '../datasets.ts';
import { mostParts } from '../part.ts';
import type { JobOption } from './job.ts';

/** A server opens models of its store alone, while the command line takes any folder. */
export const model = {
  field: {
    type: 'name',
    placeholder: 'name|folder',
    doc: 'a model of the data folder or the package, or a Hugging Face folder',
  },
  required: true,
  form: { label: 'Model', source: 'models', hint: 'of the data folder or the package' },
} as const satisfies JobOption;

/** A server reads the datasets of the package and of its store alone, while the command line takes any file. */
export const text = {
  field: {
    type: 'dataset',
    placeholder: 'file|dataset',
    doc: `a file of text (plain UTF-8, JSON lines, Parquet or Arrow; also compressed with gzip, xz or zstd), a folder of such files, ${datasetNames.join(', ')}, or dataset:NAME of one that 'datasets get' fetched; a line <|endoftext|> separates documents of plain text`,
  },
  open: true,
  required: true,
  form: {
    label: 'Text',
    source: 'datasets',
    hint: "one that comes with the package, or that 'lazyscope datasets get' fetched",
  },
} as const satisfies JobOption;

/** For texts that are tables or JSON lines. */
export const textField = {
  field: {
    type: 'text',
    maxLength: 200,
    placeholder: 'name',
    doc: 'the column of a table, or the field of JSON lines, that holds the documents',
  },
  otherwise: "'text', or a table's only column of text",
} as const satisfies JobOption;

/** Tokens a context. */
export const contextLength = {
  type: 'integer',
  min: 1,
  placeholder: 'tokens',
  doc: 'tokens a context',
} as const;

/** Of what is made, `of the capture`; `otherwise` says where the name comes from when none is given. */
export function nameOf<const Otherwise extends string>(what: string, otherwise: Otherwise) {
  return {
    field: { type: 'name', doc: `of the ${what}` },
    otherwise,
    form: { label: 'Name' },
  } as const satisfies JobOption;
}

export const run = {
  field: { type: 'name', doc: 'runs' },
  argument: 'several',
  required: true,
  form: { label: 'Run', source: 'runs', hint: 'a finished one' },
} as const satisfies JobOption;

/** Which of a run's dictionaries. */
export const seeds = {
  field: { type: 'integers', min: 0, maxItems: 1000, doc: 'seeds, for example 0,1,2 or 0-4' },
  otherwise: 'all of the run',
  form: { label: 'Seeds' },
} as const satisfies JobOption;

/** Rows of a capture that do not count; see sae/activations/exclusionRule.ts. */
export function exclude<const Otherwise extends string>(what: string, otherwise: Otherwise) {
  return {
    field: {
      type: 'text',
      maxLength: 100,
      placeholder: 'rule',
      doc: `rows to leave out of ${what}: a list of special (special tokens), position:N (positions before N) and norm:M (longer than M times the median), or none`,
    },
    otherwise,
    form: { label: 'Rows left out', hint: 'like special,norm:10, or none', advanced: true },
  } as const satisfies JobOption;
}

/** For commands that train. */
export const screening = {
  field: {
    type: 'flag',
    doc: 'native and cuda: compute every pre-activation in floats, rather than only those that a product of integers (cuda: of bfloat16) leaves possible; the result is the same to the bit (cuda: but for the order of sums)',
  },
  default: true,
} as const satisfies JobOption;

/** For commands that train. */
export const graphs = {
  field: {
    type: 'flag',
    doc: 'cuda: launch every kernel of a training step by itself, rather than the step as a graph that was captured once; the result is the same to the bit',
  },
  default: true,
} as const satisfies JobOption;

/** For commands that train. */
export const devices = {
  field: {
    type: 'text',
    maxLength: 100,
    placeholder: 'numbers',
    doc: 'cuda: GPUs to spread the seeds of a run over, or the runs of a sweep, by the numbers that nvidia-smi gives them (0,1), or all; each result is that of one GPU, to the bit',
  },
  otherwise: 'one GPU',
} as const satisfies JobOption;

/** For commands that run a language model. */
export const products = {
  field: {
    type: 'choice',
    choices: ['f32', 'tf32'],
    placeholder: 'format',
    doc: "cuda: tf32 rounds the factors of a language model's products to 10 bits of mantissa, for tensor cores, which is several times faster; sums stay in f32",
  },
  otherwise: 'f32',
} as const satisfies JobOption;

/** For commands that train. */
export const storage = {
  field: {
    type: 'choice',
    choices: ['f32', 'f16', 'bf16'],
    placeholder: 'format',
    doc: 'webgpu: f16, and cuda: bf16, halve the bytes of what a training step reads many times (both matrices, batch, errors), from copies rounded to 11 bits (f16, where the GPU has shader-f16) or 8 (bf16); parameters, optimiser, sums, checkpoints and steps without lists stay in f32',
  },
  default: 'f32',
} as const satisfies JobOption;

/** For commands whose work can be handed to workers or to Slurm. */
export const launching = {
  queue: {
    field: {
      type: 'text',
      placeholder: 'address',
      doc: 'let workers (lazyscope worker) do it: the address of the Redis from which they take jobs, redis://host:6379. What is stopped then is the waiting: the jobs go on, and the same command waits for them again',
    },
  },
  launcher: {
    field: {
      type: 'choice',
      choices: ['slurm'],
      placeholder: 'name',
      doc: 'hand it to Slurm, and wait for it as with --queue',
    },
    otherwise: 'this machine',
  },
  sbatch: {
    field: {
      type: 'text',
      placeholder: 'options',
      doc: "with --launcher: options of sbatch for each array, such as '--partition=gpu --time=4:00:00 --cpus-per-task=8'",
    },
  },
  resources: {
    field: {
      type: 'text',
      placeholder: 'list',
      doc: 'with --queue or --launcher: what each job needs, gpu=1,memory=16GB',
    },
    otherwise: 'nothing in particular',
  },
  priority: {
    field: {
      type: 'integer',
      min: 1,
      max: 1000,
      placeholder: 'n',
      doc: 'with --queue: 1 is first, 1000 last, among jobs that need the same',
    },
    otherwise: '100, as jobs of the explorer have',
  },
} as const satisfies Record<string, JobOption>;

/** For commands whose work can be split, too: `what` completes "split by …". */
export function splitting(what: string) {
  return {
    ...launching,
    parts: {
      field: {
        type: 'integer',
        min: 2,
        max: mostParts,
        placeholder: 'n',
        doc: `with --queue or --launcher: split by ${what} into so many jobs, and one that puts together what they make; the bytes are the same`,
      },
      otherwise: 'one job',
    },
    part: {
      field: {
        type: 'text',
        placeholder: 'n/N',
        doc: `do part n of N (or 'rank': by this process's number under mpirun or srun) and leave it in the data folder, where the same command without --part takes it from (${what}); parts may run on several machines, in any order, and be repeated`,
      },
      otherwise: 'all of it',
    },
  } as const satisfies Record<string, JobOption>;
}
