/**
 * From what somebody typed, on a command line or into a form, to a field's value. Whatever is accepted here is accepted
 * by the field's schema too (`schema.ts`).
 */
import { datasetPattern, datasetRule } from './datasets.ts';
import type { Field, IntegerField, NumberField, ValueOf } from './fields.ts';
import { namePattern, nameRule } from './names.ts';
import { bytesOf, sizeRule } from './sizes.ts';

/** A value, or a sentence on why what was typed is not one. */
export type Read<Value> = { readonly value: Value } | { readonly error: string };

/**
 * The value, or what it must be: words that begin with "must" or "use", and end without a full stop. Spaces around what
 * was typed don't count. `none` stands for null where the field has it. Never throws.
 */
export function readField<F extends Field>(field: F, typed: string): Read<ValueOf<F>> {
  const bare = typed.trim();
  return (field.nullable && bare === 'none' ? { value: null } : read(field, bare)) as Read<ValueOf<F>>;
}

function read(field: Field, typed: string): Read<unknown> {
  switch (field.type) {
    case 'integer':
      return inRange(wholeNumberIn(typed), field);
    case 'number':
      return inRange(numberIn(typed), field);
    case 'text':
      return typed === '' ? { error: 'must not be empty' } : notTooLong(typed, field.maxLength);
    case 'name':
      return namePattern.test(typed) ? { value: typed } : { error: nameRule };
    case 'dataset':
      return datasetPattern.test(typed) ? { value: typed } : { error: datasetRule };
    case 'size':
      return Number.isNaN(bytesOf(typed)) ? { error: sizeRule } : { value: typed.replaceAll(/\s/g, '') };
    case 'choice':
      return field.choices.includes(typed)
        ? { value: typed }
        : { error: `must be one of ${field.choices.join(', ')}` };
    case 'flag':
      return flagIn(typed);
    case 'integers':
      return integersIn(typed, field.min, field.maxItems);
    case 'texts':
      return textsIn(typed, field.maxLength);
    case 'dictionary':
      return dictionaryIn(typed);
  }
}

/** A number as JavaScript writes it; digits may be grouped by `_`. NaN for what is no number. */
function numberIn(typed: string): number {
  // No commas: "0,7" is a number below 1 for half of the world.
  const plain = typed.replaceAll(/(?<=\d)_(?=\d)/g, '');
  return plain === '' ? NaN : Number(plain);
}

/** Thousands may be set apart by commas and spaces too: in "4,096" the comma can mean nothing else. */
function wholeNumberIn(typed: string): number {
  return numberIn(/^[1-9]\d{0,2}([, ]\d{3})+$/.test(typed) ? typed.replaceAll(/[, ]/g, '') : typed);
}

function inRange(value: number, field: IntegerField | NumberField): Read<number> {
  const { min, max = Infinity } = field;
  const readable = field.type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  const above = field.type === 'number' && field.above;
  const ok = readable && (above ? value > min : value >= min) && value <= max;
  return ok ? { value } : { error: `must be ${rangeOf(field)}` };
}

/** "a whole number above 0", "a number between 0 and 1", … */
export function rangeOf(field: IntegerField | NumberField): string {
  const noun = field.type === 'integer' ? 'a whole number' : 'a number';
  const { min, max } = field;
  if (max !== undefined)
    return field.type === 'number' && field.above
      ? `${noun} above ${min}, ${max} at most`
      : `${noun} between ${min} and ${max}`;
  if (field.type === 'integer')
    return min === 0 ? noun : min === 1 ? `${noun} above 0` : `${noun}, at least ${min}`;
  return field.above ? `${noun} above ${min}` : `${noun}, ${min} or more`;
}

function notTooLong(typed: string, maxLength = Infinity): Read<string> {
  return typed.length > maxLength ? { error: `must have at most ${maxLength} characters` } : { value: typed };
}

/** A form's checkbox sends `on` or nothing. */
function flagIn(typed: string): Read<boolean> {
  if (typed === 'on' || typed === 'true') return { value: true };
  if (typed === '' || typed === 'off' || typed === 'false') return { value: false };
  return { error: 'must be on or off' };
}

function integersIn(typed: string, min: number, maxItems: number): Read<number[]> {
  const noList = { error: 'must be whole numbers, like 0, 1, 2 or 0-4' };
  const tooMany = { error: `must be at most ${maxItems} numbers` };
  const values: number[] = [];
  for (const part of partsOf(typed)) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) return noList;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || !Number.isSafeInteger(last)) return noList;
    if (first < min) return { error: `must be whole numbers, none below ${min}` };
    if (last - first >= maxItems) return tooMany;
    for (let value = first; value <= last; value++) values.push(value);
  }
  if (values.length === 0) return noList;
  if (values.length > maxItems) return tooMany;
  if (new Set(values).size < values.length) return { error: 'must not name a number twice' };
  return { value: values };
}

function textsIn(typed: string, maxLength = Infinity): Read<string[]> {
  const items = partsOf(typed);
  if (items.length === 0) return { error: 'must name at least one' };
  return items.some((item) => item.length > maxLength)
    ? { error: `must have at most ${maxLength} characters each` }
    : { value: items };
}

function dictionaryIn(typed: string): Read<{ run: string; seed: number }> {
  const match = /^([^/]+)\/(\d+)$/.exec(typed);
  const seed = Number(match?.[2]);
  return match && namePattern.test(match[1]) && Number.isSafeInteger(seed)
    ? { value: { run: match[1], seed } }
    : { error: "must be RUN/SEED, for example 'demo-topk/0'" };
}

function partsOf(typed: string): string[] {
  return typed.split(/[\s,;]+/).filter(Boolean);
}
