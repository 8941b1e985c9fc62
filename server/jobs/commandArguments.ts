/** A job as the arguments of the command line. Each value is tied to its option by `=`, so none can pass for an option. */
import type { JobStartInput } from '../contract/jobs.ts';

export function commandArguments(job: JobStartInput): string[] {
  switch (job.kind) {
    case 'capture': {
      const { hooks, ...options } = job.options;
      return ['capture', ...hooks.map((hook) => `--hook=${hook}`), ...flags(options)];
    }
    case 'train':
      return ['train', ...flags(job.options)];
    case 'evaluate':
    case 'index': {
      const { run, ...options } = job.options;
      return [job.kind, run, ...flags(options)];
    }
    case 'compare': {
      const { a, b, ...options } = job.options;
      return ['compare', `${a.run}/${a.seed}`, `${b.run}/${b.seed}`, ...flags(options)];
    }
    case 'map': {
      const { comparison, ...options } = job.options;
      return ['map', comparison, ...flags(options)];
    }
    case 'sparsity':
      return ['sparsity', ...flags(job.options)];
  }
}

type OptionValue = string | number | boolean | number[] | undefined;

function flags(options: Record<string, OptionValue>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [flag] : [`${flag}=${Array.isArray(value) ? value.join(',') : value}`];
  });
}

/** As one would type it. */
export function commandLine(args: readonly string[]): string {
  const quote = (arg: string) =>
    /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;
  return ['lazyscope', ...args.map(quote)].join(' ');
}
