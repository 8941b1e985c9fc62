/** The forms that start jobs, as they follow from the descriptions, and how what was typed becomes what the server is asked. */
import type { ChoiceSource, FormField, JobOption } from '../../../sae/spec/jobs/job.ts';
import { describedJob, type JobKind, type JobStartInput } from '../../../sae/spec/jobs/jobs.ts';
import { splitting } from '../../../sae/spec/jobs/sharedOptions.ts';
import { readField } from '../../../sae/spec/readField.ts';

export interface Choice {
  value: string;
  name: string;
}

export interface FormOption {
  name: string;
  option: JobOption;
  form: FormField;
}

/** What was typed or chosen, by the option's name; `on` or `off` for a checkbox. */
export type Typed = Readonly<Record<string, string>>;

export function formOptions(kind: JobKind): FormOption[] {
  return Object.entries(describedJob(kind).options).flatMap(([name, option]) =>
    option.form ? [{ name, option, form: option.form }] : [],
  );
}

const { field } = splitting('').parts;
const form = {
  label: 'Parts',
  hint: 'jobs that share its work, and one that puts together what they make; the bytes are the same',
  advanced: true,
} as const;
const parts: FormOption = { name: 'parts', option: { field, form, otherwise: 'one job' }, form };

/** The field for the number of parts, of kinds that can be split; only workers and Slurm take parts. */
export function partsOption(kind: JobKind): FormOption | undefined {
  return describedJob(kind).splits ? parts : undefined;
}

export function isShown({ form: { when } }: FormOption, values: Typed): boolean {
  const value = when ? (values[when.option] ?? '') : '';
  return !when || (when.values === 'any' ? value !== '' : when.values.includes(value));
}

/** What the store offers, by source; undefined of what has not been answered yet. */
export type Offered = Readonly<Record<ChoiceSource, readonly Choice[] | undefined>>;

/** What there is to choose from; undefined where anything can be typed, and of what the store has not answered yet. */
export function choicesOf(
  { option: { field }, form: { source } }: FormOption,
  offered: Offered,
): readonly Choice[] | undefined {
  if (field.type === 'choice')
    return field.choices.map((value) => ({ value, name: field.titles?.[value] ?? value }));
  return source && offered[source];
}

/** Whether one of the choices has to be taken. Elsewhere they are suggestions. */
export function isSelection({ option: { field }, form: { source } }: FormOption): boolean {
  return field.type === 'choice' || (source !== undefined && field.type !== 'texts');
}

/** Whether several of the choices may be taken, of which there are several. */
export function takesSeveral({ form }: FormOption, choices: readonly Choice[] | undefined): boolean {
  return form.several !== undefined && (choices?.length ?? 0) > 1;
}

/** What was taken, of choices with commas between them. */
export function takenOf(value: string): string[] {
  return value.split(',').filter((name) => name !== '');
}

/** The value after a choice was taken or put back. */
export function withTaken(
  value: string,
  choice: string,
  { order, choices }: { order: 'in order' | 'as taken'; choices: readonly Choice[] },
): string {
  const before = takenOf(value);
  const taken = before.includes(choice) ? before.filter((name) => name !== choice) : [...before, choice];
  if (order === 'as taken') return taken.join(',');
  const names = choices.map((each) => each.value);
  // A name that isn't among the choices was typed into an address: it stays, so that it is refused where it can be seen.
  return [
    ...names.filter((name) => taken.includes(name)),
    ...taken.filter((name) => !names.includes(name)),
  ].join(',');
}

/** What happens when the field stays empty: the real default, or words. */
export function whenEmpty({ option }: FormOption, values: Typed): string | undefined {
  const { default: fixed, otherwise, field } = option;
  if (typeof fixed === 'number' && field.type === 'integer') return fixed.toLocaleString('en-US');
  if (fixed !== undefined) return String(fixed);
  return typeof otherwise === 'object' ? otherwise.words[values[otherwise.option] ?? ''] : otherwise;
}

/** Where a choice must be made and the store offers one thing, that is what is meant. */
export function withOnlyChoices(
  options: readonly FormOption[],
  typed: Typed,
  offered: Offered,
): Record<string, string> {
  const values = { ...typed };
  for (const one of options) {
    const [only, another] = (isSelection(one) && choicesOf(one, offered)) || [];
    if (one.option.required && values[one.name] === undefined && only && !another)
      values[one.name] = only.value;
  }
  return values;
}

export type JobDraft = { input: JobStartInput } | { errors: Record<string, string> };

/** What a form's values ask for, or what is wrong with them, field by field. */
export function draftJob(kind: JobKind, values: Typed): JobDraft {
  const errors: Record<string, string> = {};
  const options: Record<string, unknown> = {};
  const split = partsOption(kind);
  for (const one of [...formOptions(kind), ...(split ? [split] : [])]) {
    if (!isShown(one, values)) continue;
    const { name, option, form } = one;
    const typed = (values[name] ?? '').trim();
    if (typed === '') {
      if (option.required) errors[name] = `${form.label} is needed.`;
      continue;
    }
    const read = readField(option.field, typed);
    if ('error' in read) errors[name] = sentence(form.label, read.error);
    else if (form.differsFrom !== undefined && typed === values[form.differsFrom]?.trim())
      errors[name] = 'Choose another one: it would be the same twice.';
    else {
      const why = objection(form, values);
      if (why === undefined) options[name] = read.value;
      else errors[name] = why;
    }
  }
  if (Object.keys(errors).length > 0) return { errors };
  // The server parses it again with the schema this type comes from, and says so if they disagree.
  const { parts: into, ...own } = options;
  return {
    input: { kind, options: own, ...(into !== undefined && { parts: into }) } as JobStartInput,
  };
}

/** Why the field must be empty as the others are. */
function objection({ against = [] }: FormField, values: Typed): string | undefined {
  return against.find(
    ({ option, having }) => takenOf(values[option] ?? '').length > (having === 'several' ? 1 : 0),
  )?.why;
}

function sentence(label: string, error: string): string {
  return error.startsWith('use ') ? `${label}: ${error}.` : `${label} ${error}.`;
}
