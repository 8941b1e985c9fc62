/** Makes commander's options from the descriptions in sae/spec. */
import { Argument, InvalidArgumentError, Option } from 'commander';
import type { Field, ValueOf } from '../../sae/spec/fields.ts';
import { flagOf, otherwiseOf, type JobOption } from '../../sae/spec/jobs/job.ts';
import { readField } from '../../sae/spec/readField.ts';

/** What commander calls with the text that was given; a refusal becomes a line that names the option. */
export function reading<const F extends Field>(field: F): (text: string) => ValueOf<F> {
  return (text) => {
    const read = readField(field, text);
    if ('value' in read) return read.value;
    throw new InvalidArgumentError(`${read.error.replace(/^must/, 'It must').replace(/^use/, 'Use')}.`);
  };
}

export function commanderOption(name: string, option: JobOption): Option {
  const { field, required } = option;
  const flag = flagOf(name, option);
  if (field.type === 'flag')
    return new Option(option.default === true ? `--no-${flag}` : `--${flag}`, helpOf(option));
  const made = new Option(`--${flag} <${placeholderOf(field)}>`, helpOf(option));
  const parse = parserOf(option);
  if (parse) made.argParser(parse);
  if (option.default !== undefined) made.default(option.default);
  return made.makeOptionMandatory(required === true);
}

export function commanderArgument(name: string, option: JobOption): Argument {
  const several = option.argument === 'several' ? '...' : '';
  const inner = `${option.field.placeholder ?? name}${several}`;
  return new Argument(option.required === true ? `<${inner}>` : `[${inner}]`, helpOf(option));
}

function helpOf(option: JobOption): string {
  const otherwise = otherwiseOf(option);
  return otherwise === undefined ? option.field.doc : `${option.field.doc}; by default ${otherwise}`;
}

function placeholderOf({ type, placeholder }: Field): string {
  if (placeholder !== undefined) return placeholder;
  if (type === 'integer' || type === 'number') return 'n';
  return type === 'integers' ? 'list' : type;
}

/** Names, dictionaries and free text reach the command unchecked, because its own errors say more about them. */
function parserOf({ field, open }: JobOption): ((text: string, before: unknown) => unknown) | undefined {
  if (field.type === 'texts')
    return (text, before) =>
      repeated(field.commas ? text.split(',').map((item) => item.trim()) : [text], before);
  const unread = open || field.type === 'text' || field.type === 'name' || field.type === 'dictionary';
  return unread ? undefined : reading(field);
}

function repeated(items: readonly string[], before: unknown): unknown[] {
  return Array.isArray(before) ? [...before, ...items] : [...items];
}
