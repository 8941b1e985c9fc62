/**
 * A kind of job: a command of the command line that the server runs too, and that the explorer has a form for. Its options
 * are one table. From it come the command's flags and `--help`, the schema of what `jobs.start` takes, the arguments of
 * the child process, and the form.
 *
 * A new kind is a description in this folder with its line in `jobs.ts`, and the command's work: a file of the kind's name
 * in scripts/commands. The compiler says what is missing.
 */
import type { JobCost } from './cost.ts';
import type { DictionaryField, Field, NameField, ValueOf } from '../fields.ts';

/** Where a form gets what can be chosen for a field: from the store, or from what was chosen for another field. */
export type ChoiceSource =
  | 'models'
  | 'modelHooks'
  | 'datasets'
  | 'captures'
  | 'captureHooks'
  | 'outputHooks'
  | 'runs'
  | 'dictionaries'
  | 'comparisons'
  | 'imports';

/** How the explorer's form shows an option. */
export interface FormField {
  readonly label: string;
  /** Said below the field; by default the option's `doc`. */
  readonly hint?: string;
  readonly source?: ChoiceSource;
  /** Several of the choices may be taken, with commas between them: in the order of the choices, or in that in which they were taken. */
  readonly several?: 'in order' | 'as taken';
  /** Shown, and sent, only while another option has one of these values, or any. */
  readonly when?: { readonly option: string; readonly values: readonly string[] | 'any' };
  /** Most people leave it alone: it is folded away. */
  readonly advanced?: true;
  /** Another option whose value this one must not have. */
  readonly differsFrom?: string;
  /** What other options must not have while this one has a value: several of their choices, or any value. `why` is said below the field. */
  readonly against?: readonly {
    readonly option: string;
    readonly having: 'several' | 'any';
    readonly why: string;
  }[];
}

/** What happens by default, where that depends on the value of another option. */
export interface OtherwiseBy {
  readonly option: string;
  readonly words: Readonly<Record<string, string>>;
}

/** One option of a job: its field, its flag, and how the form shows it. */
export interface JobOption {
  /** What a job's value is. Its `doc` is the option's line of `--help`. */
  readonly field: Field;
  /** `'job'`: a job needs it, while the command can go without. */
  readonly required?: true | 'job';
  /** The value where none is given. A flag whose default is true is turned off, by `--no-…`. */
  readonly default?: string | number | boolean;
  /** For options without one default: what happens where none is given, as words that can follow "by default". */
  readonly otherwise?: string | OtherwiseBy;
  /** The flag, where it isn't the option's name in kebab case; without dashes. */
  readonly flag?: string;
  /** It is no flag but an argument: one, or several on the command line (and one in a job). */
  readonly argument?: 'one' | 'several';
  /** On the command line any text may stand for it, such as a path; the command checks it. */
  readonly open?: true;
  /** Absent: the option is for the command line alone, and no job can have it. */
  readonly form?: FormField;
}

export type JobOptions = Readonly<Record<string, JobOption>>;

/** What a job makes or looks at: the explorer's job cards say its name and lead to its page. */
export interface JobSubject {
  readonly what: 'model' | 'capture' | 'run' | 'comparison' | 'sparsityReport';
  /** The option that names it. */
  readonly option: string;
  /** Where its name is in the document that the finished command prints, for names that the command chooses. */
  readonly inDocument?: readonly (string | number)[];
  /** Options whose values, joined by dashes, are the name that the command chooses where it is given none. */
  readonly otherwise?: readonly string[];
}

/**
 * What is set aside on the machine while a job runs. Two jobs run at the same time only where both fit; a job that needs more than
 * there is runs alone.
 */
export interface JobNeeds {
  /** Cores that it keeps busy, or all that a job is given. */
  readonly cores: number | 'all';
  /**
   * Share of the machine's memory, from 0 to 1. It is not measured: people choose the size of models and dictionaries by their
   * machine, so this is how much of one each kind may be counted on to leave. An option of the type `size` takes its place where given.
   */
  readonly memory: number;
  /** Whether it computes on the backend, and so on the GPU where that is the backend. */
  readonly gpu: boolean;
}

/** A kind of job as plain data. */
export interface JobDescription {
  /** The words of the command, where they aren't the kind's name alone: a group and its member. */
  readonly command?: readonly [string, ...string[]];
  /** False: it starts no backend, and the flags of one are refused. */
  readonly computes?: false;
  /** One line of `lazyscope --help`. */
  readonly summary: string;
  /** What the form and its button are called. */
  readonly title: string;
  /** The same where there is little room. */
  readonly shortTitle: string;
  /** A sentence above the form. */
  readonly introduction: string;
  readonly options: JobOptions;
  readonly subject?: JobSubject;
  /** What it takes; absent where no formula is known. */
  readonly cost?: JobCost;
  /** Whether it writes checkpoints, for which it is given time when it is stopped. */
  readonly checkpoints?: true;
  /** Whether its command has `--part`: such a job can be made by several processes. */
  readonly splits?: true;
  /** By default the whole machine, so that the job runs alone. */
  readonly needs?: JobNeeds;
}

/** Names of the options that satisfy a condition. */
type NamesWith<Options extends JobOptions, Condition> = {
  [Name in keyof Options]: Options[Name] extends Condition ? Name : never;
}[keyof Options];

type Flattened<T> = { [Key in keyof T]: T[Key] };
type Optional<T> = { [Key in keyof T]?: T[Key] | undefined };

type OfJobs = { readonly form: FormField };

/** What a job of these options is started with. */
export type JobValues<Options extends JobOptions> = Flattened<
  {
    [Name in NamesWith<Options, OfJobs & { readonly required: true | 'job' }>]: ValueOf<
      Options[Name]['field']
    >;
  } & Optional<{
    [
      Name in Exclude<NamesWith<Options, OfJobs>, NamesWith<Options, { readonly required: true | 'job' }>>
    ]: ValueOf<Options[Name]['field']>;
  }>
>;

/** Names and dictionaries reach a command as they were typed: it says itself, of what kind, that there is none. */
type TypedValue<Option extends JobOption> = Option extends { readonly open: true }
  ? string
  : Option['field'] extends NameField | DictionaryField
    ? string
    : ValueOf<Option['field']>;
type CommandValue<Option extends JobOption> = Option extends { readonly argument: 'several' }
  ? TypedValue<Option>[]
  : TypedValue<Option>;

/** Options that always have a value. */
type Certain = { readonly required: true } | { readonly default: string | number | boolean };

/** What a command of these options is given. */
export type CommandValues<Options extends JobOptions> = Flattened<
  {
    [Name in NamesWith<Options, Certain>]: CommandValue<Options[Name]>;
  } & Optional<{
    [Name in Exclude<keyof Options, NamesWith<Options, Certain>>]: CommandValue<Options[Name]>;
  }>
>;

/** `maxTokens` → `max-tokens` */
export function flagOf(name: string, { flag }: JobOption): string {
  return flag ?? name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What happens where nothing is given, for people: "all of the run", "0.8 (relu), 4 (jumprelu)". */
export function otherwiseOf({ otherwise }: JobOption): string | undefined {
  if (otherwise === undefined || typeof otherwise === 'string') return otherwise;
  const { words } = otherwise;
  const values = Object.keys(words);
  const different = [...new Set(Object.values(words))];
  if (different.length === 1) return different[0];
  return different
    .map((said) => `${said} (${values.filter((value) => words[value] === said).join(', ')})`)
    .join(', ');
}
