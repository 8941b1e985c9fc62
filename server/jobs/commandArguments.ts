/** A job as the arguments of the command line. Each value is tied to its option by `=`, so none can pass for an option. */
import type { DictionaryName } from '../../sae/spec/fields.ts';
import { flagOf, type JobOption } from '../../sae/spec/jobs/job.ts';
import { commandWords, describedJob } from '../../sae/spec/jobs/jobs.ts';
import type { Job } from '../contract/jobs.ts';

/** What a job's option may hold, besides nothing. */
type OptionValue = string | number | boolean | null | readonly (string | number)[] | DictionaryName;

/** The command, its arguments, then its flags in the order in which the job has them. */
export function commandArguments({ kind, options }: Pick<Job, 'kind' | 'options'>): string[] {
  const table = describedJob(kind).options;
  const given = Object.entries<OptionValue | undefined>(options).filter(
    (entry): entry is [string, OptionValue] => entry[1] !== undefined,
  );
  const values = new Map(given);
  const positional = Object.keys(table).filter((name) => table[name].argument && values.has(name));
  const flags = given.filter(([name]) => !table[name].argument);
  return [
    ...commandWords(kind),
    ...positional.map((name) => written(values.get(name) ?? null)),
    ...flags.flatMap(([name, value]) => flagArguments(name, table[name], value)),
  ];
}

function flagArguments(name: string, option: JobOption, value: OptionValue): string[] {
  const flag = flagOf(name, option);
  switch (option.field.type) {
    case 'flag':
      return value === (option.default ?? false) ? [] : [value === true ? `--${flag}` : `--no-${flag}`];
    case 'texts':
      return Array.isArray(value) ? value.map((item) => `--${flag}=${item}`) : [];
    default:
      return [`--${flag}=${written(value)}`];
  }
}

/** As `readField` reads it. */
function written(value: OptionValue): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'object' && 'run' in value ? `${value.run}/${value.seed}` : String(value);
}

/** As one would type it. */
export function commandLine(args: readonly string[]): string {
  const quote = (arg: string) =>
    /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;
  return ['lazyscope', ...args.map(quote)].join(' ');
}
