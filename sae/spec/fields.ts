/**
 * Descriptions as plain data. What an option, a setting of a configuration or a field of a manifest is, is said once as
 * a `Field`; the command line's flags and help, the zod schemas, a child process's arguments and the explorer's forms
 * are derived from it. Nothing in `sae/spec` imports a library besides `schema.ts` and what uses it, so that every
 * part of the product, the browser and `--help` included, may import these files at run time.
 */

interface Described {
  /** One line of documentation, a noun phrase in lower case: shown by `--help` and under the field in a form. */
  readonly doc: string;
  /** What stands for the value in a usage line: `n`, `share`, `λ`. */
  readonly placeholder?: string;
  /** Whether null is a value of its own, for example "no limit". */
  readonly nullable?: true;
}

export interface IntegerField extends Described {
  readonly type: 'integer';
  readonly min: number;
  readonly max?: number;
}

export interface NumberField extends Described {
  readonly type: 'number';
  /** The smallest value, which is itself allowed unless `above` says that it isn't. */
  readonly min: number;
  readonly above?: true;
  readonly max?: number;
}

/** Words without further rules. */
export interface TextField extends Described {
  readonly type: 'text';
  readonly maxLength?: number;
}

/** The name of something in the store; see `names.ts`. */
export interface NameField extends Described {
  readonly type: 'name';
}

/** An amount of memory as people write it, `800MB` or `2GB`. */
export interface SizeField extends Described {
  readonly type: 'size';
}

export interface ChoiceField extends Described {
  readonly type: 'choice';
  readonly choices: readonly string[];
  /** How people call the choices, where that differs from how they are typed. */
  readonly titles?: Readonly<Record<string, string>>;
}

export interface FlagField extends Described {
  readonly type: 'flag';
}

/** Seeds and the like: `0,1,2` or `0-4` where they are typed; no number twice. */
export interface IntegersField extends Described {
  readonly type: 'integers';
  readonly min: number;
  readonly maxItems: number;
}

/** Several words without spaces or commas, given by repeating a flag or separated by commas in a form. */
export interface TextsField extends Described {
  readonly type: 'texts';
  readonly maxLength?: number;
  /** Whether a flag takes several with commas between them, too; not for paths, which may have commas. */
  readonly commas?: true;
}

/** One trained dictionary, `RUN/SEED` where it is typed. */
export interface DictionaryField extends Described {
  readonly type: 'dictionary';
}

/** A text of the package or of the store, `dataset:NAME`; see `datasets.ts`. */
export interface DatasetField extends Described {
  readonly type: 'dataset';
}

/** The description of one value: its type, its range and one line of documentation. */
export type Field =
  | IntegerField
  | NumberField
  | TextField
  | NameField
  | SizeField
  | ChoiceField
  | FlagField
  | IntegersField
  | TextsField
  | DictionaryField
  | DatasetField;

/** Descriptions by the names of the values. */
export type Fields = Readonly<Record<string, Field>>;

/** A dictionary of the store: a run and one of its seeds. */
export interface DictionaryName {
  run: string;
  seed: number;
}

type PlainValueOf<F extends Field> = F extends IntegerField | NumberField
  ? number
  : F extends ChoiceField
    ? F['choices'][number]
    : F extends TextField | NameField | SizeField | DatasetField
      ? string
      : F extends FlagField
        ? boolean
        : F extends IntegersField
          ? number[]
          : F extends TextsField
            ? string[]
            : F extends DictionaryField
              ? DictionaryName
              : never;

/** The type of a field's value. */
export type ValueOf<F extends Field> = F extends { readonly nullable: true }
  ? PlainValueOf<F> | null
  : PlainValueOf<F>;

/** An object with a value for each field. */
export type ValuesOf<F extends Fields> = { -readonly [Name in keyof F]: ValueOf<F[Name]> };
