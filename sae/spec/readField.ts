/** From what somebody typed, on a command line or into a form, to a field's value. */
import type { Field, ValueOf } from './fields.ts';
import { namePattern, nameRule, sizePattern } from './names.ts';

export type Read<Value> = { readonly value: Value } | { readonly error: string };

/** The value, or a sentence that says what it must be, beginning with "must" or "use". Never throws. */
export function readField<F extends Field>(field: F, typed: string): Read<ValueOf<F>> {
  return read(field, typed.trim()) as Read<ValueOf<F>>;
}

function read(field: Field, typed: string): Read<unknown> {
  switch (field.type) {
    case 'integer':
    case 'number':
      return checked(numberIn(typed), field);
    case 'text':
      return typed === ''
        ? { error: 'must not be empty' }
        : typed.length > (field.maxLength ?? Infinity)
          ? { error: `must have at most ${field.maxLength} characters` }
          : { value: typed };
    case 'name':
      return namePattern.test(typed) ? { value: typed } : { error: nameRule };
    case 'size':
      return sizePattern.test(typed)
        ? { value: typed.replaceAll(' ', '') }
        : { error: 'must be a size, like 800MB or 2GB' };
    case 'choice':
      return field.choices.includes(typed)
        ? { value: typed }
        : { error: `must be one of ${field.choices.join(', ')}` };
    case 'flag':
      return { value: typed === 'on' || typed === 'true' };
    case 'integers':
      return integersIn(typed, field.min, field.maxItems);
    case 'texts': {
      const items = typed.split(/[\s,;]+/).filter(Boolean);
      return items.length === 0 ? { error: 'must name at least one' } : { value: items };
    }
    case 'dictionary': {
      const match = /^([^/]+)\/(\d+)$/.exec(typed);
      return match && namePattern.test(match[1])
        ? { value: { run: match[1], seed: Number(match[2]) } }
        : { error: "must be RUN/SEED, for example 'demo-topk/0'" };
    }
  }
}

/** Thousands may be set apart by `_` or `,`. NaN for what is no number. */
function numberIn(typed: string): number {
  const bare = typed.replaceAll(/(?<=\d)[_,](?=\d)/g, '');
  return bare === '' ? NaN : Number(bare);
}

function checked(value: number, field: Extract<Field, { type: 'integer' | 'number' }>): Read<number> {
  const whole = field.type === 'integer';
  const { min, max = Infinity } = field;
  const above = field.type === 'number' && field.above;
  const ok =
    (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
    (above ? value > min : value >= min) &&
    value <= max;
  return ok ? { value } : { error: `must be ${rangeOf(field)}` };
}

/** "a whole number above 0", "a number between 0 and 1", … */
export function rangeOf(field: Extract<Field, { type: 'integer' | 'number' }>): string {
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

function integersIn(typed: string, min: number, maxItems: number): Read<number[]> {
  const values: number[] = [];
  for (const part of typed.split(/[\s,;]+/).filter(Boolean)) {
    const range = /^(\d+)-(\d+)$/.exec(part);
    const [first, last] = range ? [Number(range[1]), Number(range[2])] : [Number(part), Number(part)];
    if (!/^\d+(-\d+)?$/.test(part) || first < min || last < first || !Number.isSafeInteger(last))
      return { error: 'must be whole numbers, like 0, 1, 2 or 0-4' };
    if (last - first >= maxItems) return { error: `must be at most ${maxItems} numbers` };
    for (let value = first; value <= last; value++) values.push(value);
  }
  if (values.length === 0) return { error: 'must be whole numbers, like 0, 1, 2 or 0-4' };
  if (values.length > maxItems) return { error: `must be at most ${maxItems} numbers` };
  if (new Set(values).size < values.length) return { error: 'must not name a number twice' };
  return { value: values };
}
