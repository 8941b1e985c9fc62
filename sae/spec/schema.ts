/** zod schemas of described fields. Apart from the descriptions, so that these can be read without loading zod. */
import { z } from 'zod';
import { datasetPattern, datasetRule } from './datasets.ts';
import type { Field, Fields, ValueOf } from './fields.ts';
import { namePattern, nameRule } from './names.ts';
import { bytesOf, sizeRule } from './sizes.ts';

/** A schema that changes nothing of what it accepts. */
type Schema<Value> = z.ZodType<Value, Value>;

/** The schema of one field's value. */
export function fieldSchema<F extends Field>(field: F): Schema<ValueOf<F>> {
  const plain = plainSchema(field);
  return (field.nullable ? plain.nullable() : plain) as unknown as Schema<ValueOf<F>>;
}

/** A schema a field, for `z.object` and `z.strictObject`. */
export function shapeOf<F extends Fields>(fields: F): { [Name in keyof F]: Schema<ValueOf<F[Name]>> } {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)])) as {
    [Name in keyof F]: Schema<ValueOf<F[Name]>>;
  };
}

function plainSchema(field: Field): z.ZodType {
  switch (field.type) {
    case 'integer':
      return bounded(z.int(), field.min, field.max);
    case 'number':
      return field.above
        ? bounded(z.number().gt(field.min), undefined, field.max)
        : bounded(z.number(), field.min, field.max);
    case 'text':
      return words(field.maxLength);
    case 'name':
      return z.string().regex(namePattern, nameRule);
    case 'dataset':
      return z.string().regex(datasetPattern, datasetRule);
    case 'size':
      return z.string().refine((size) => bytesOf(size) > 0, sizeRule);
    case 'choice':
      return z.enum(field.choices as readonly [string, ...string[]]);
    case 'flag':
      return z.boolean();
    case 'integers':
      return z
        .array(bounded(z.int(), field.min))
        .min(1)
        .max(field.maxItems)
        .refine((values) => new Set(values).size === values.length, 'must not name a number twice');
    case 'texts':
      return z.array(words(field.maxLength)).min(1).max(maxTexts);
    case 'dictionary':
      return z.strictObject({ run: z.string().regex(namePattern, nameRule), seed: z.int().nonnegative() });
  }
}

/** Texts that one field may hold: more than a model has hook points, fewer than a command line can't hold. */
const maxTexts = 5_000;

function words(maxLength?: number): z.ZodString {
  const some = z
    .string()
    .min(1)
    .regex(/^[^\0]*$/, 'must not contain a NUL character');
  return maxLength === undefined ? some : some.max(maxLength);
}

function bounded(schema: z.ZodNumber, min?: number, max?: number): z.ZodNumber {
  const atLeast = min === undefined ? schema : schema.min(min);
  return max === undefined ? atLeast : atLeast.max(max);
}
