import { describe, expect, test } from 'vitest';
import type { Field } from './fields.ts';
import { readField } from './readField.ts';
import { fieldSchema } from './schema.ts';
import { bytesOf } from './sizes.ts';

const doc = 'of this test';
const positive: Field = { type: 'integer', min: 1, doc };
const share: Field = { type: 'number', min: 0, max: 1, doc };
const rate: Field = { type: 'number', min: 0, above: true, doc };
const seeds: Field = { type: 'integers', min: 0, maxItems: 5, doc };
const size: Field = { type: 'size', doc };
const dictionary: Field = { type: 'dictionary', doc };

const valueOf = (field: Field, typed: string) => {
  const read = readField(field, typed);
  if ('error' in read) throw new Error(read.error);
  return read.value;
};
const errorOf = (field: Field, typed: string) => {
  const read = readField(field, typed);
  return 'error' in read ? read.error : `no error but ${JSON.stringify(read.value)}`;
};

describe('what was typed', () => {
  test('is a whole number with its thousands apart or not', () => {
    for (const typed of ['4096', ' 4_096 ', '4,096', '4 096', '4.096e3'])
      expect(valueOf(positive, typed)).toBe(4096);
    for (const typed of ['', 'many', '0', '-3', '1.5', '4,09', '0,700', '1e400', '9007199254740993'])
      expect(errorOf(positive, typed)).toBe('must be a whole number above 0');
  });

  test('is a number, in which a comma could mean two things and is refused', () => {
    expect(valueOf(share, '0.25')).toBe(0.25);
    expect(valueOf(rate, '3e-4')).toBe(0.0003);
    for (const typed of ['0,25', '1,500', '', 'NaN', 'Infinity', '-0.1', '1.01'])
      expect(errorOf(share, typed)).toBe('must be a number between 0 and 1');
    expect(errorOf(rate, '0')).toBe('must be a number above 0');
    expect(errorOf({ ...rate, max: 2 }, '3')).toBe('must be a number above 0, 2 at most');
    expect(errorOf({ type: 'integer', min: 2, doc }, '1')).toBe('must be a whole number, at least 2');
  });

  test('is null where that is a value', () => {
    expect(valueOf({ ...rate, nullable: true }, 'none')).toBe(null);
    expect(errorOf(rate, 'none')).toMatch(/above 0/);
  });

  test('is a list of seeds, each once', () => {
    expect(valueOf(seeds, '0-2, 7 9')).toEqual([0, 1, 2, 7, 9]);
    for (const typed of ['', 'a', '1-', '3-1', '-1', '1.5', '0-99999999999999999999'])
      expect(errorOf(seeds, typed)).toMatch(/whole numbers/);
    expect(errorOf(seeds, '1,2,1')).toMatch(/twice/);
    for (const typed of ['0-5', '0,1,2,3,4,5', '0-9007199254740990'])
      expect(errorOf(seeds, typed)).toBe('must be at most 5 numbers');
    expect(errorOf({ ...seeds, min: 3 }, '2')).toMatch(/below 3/);
  });

  test('is an amount of memory, in powers of ten', () => {
    expect(
      ['800MB', '2 GB', '1.5T', '1k', '77'].map((typed) => bytesOf(String(valueOf(size, typed)))),
    ).toEqual([8e8, 2e9, 1.5e12, 1000, 77]);
    for (const typed of ['', 'much', '0MB', '-1GB', '2GiB', `${'9'.repeat(400)}`])
      expect(errorOf(size, typed)).toMatch(/800MB or 2GB/);
  });

  test('is the name of something in the store, which can’t lead out of it', () => {
    expect(valueOf({ type: 'name', doc }, 'demo-topk_1.b')).toBe('demo-topk_1.b');
    for (const typed of ['', '../up', '.hidden', '-x', 'a/b', 'a b', 'x'.repeat(129)])
      expect(errorOf({ type: 'name', doc }, typed)).toMatch(/^use letters, digits/);
  });

  test('is one dictionary', () => {
    expect(valueOf(dictionary, 'demo-topk/3')).toEqual({ run: 'demo-topk', seed: 3 });
    for (const typed of ['demo-topk', 'demo/-1', '../0', 'a/b/0', 'demo/99999999999999999999'])
      expect(errorOf(dictionary, typed)).toMatch(/RUN\/SEED/);
  });

  test('is a word, several, one of a few, or a switch', () => {
    expect(valueOf({ type: 'text', doc, maxLength: 5 }, ' hello ')).toBe('hello');
    expect(errorOf({ type: 'text', doc, maxLength: 5 }, 'helloo')).toMatch(/5 characters/);
    expect(errorOf({ type: 'text', doc }, ' ')).toMatch(/empty/);
    expect(valueOf({ type: 'texts', doc }, 'a, b;c\nd')).toEqual(['a', 'b', 'c', 'd']);
    expect(errorOf({ type: 'texts', doc, maxLength: 2 }, 'a,bcd')).toMatch(/2 characters each/);
    expect(errorOf({ type: 'texts', doc }, ' , ')).toMatch(/at least one/);
    expect(errorOf({ type: 'choice', choices: ['f32', 'f16'], doc }, 'f64')).toBe('must be one of f32, f16');
    expect(['on', 'true', 'off', ''].map((typed) => valueOf({ type: 'flag', doc }, typed))).toEqual(
      [true, true, false, false],
    ); // prettier-ignore
    expect(errorOf({ type: 'flag', doc }, 'perhaps')).toMatch(/on or off/);
  });
});

describe('the schema of a field', () => {
  const fields: Field[] = [
    positive,
    { type: 'integer', min: 2, max: 9, doc },
    share,
    rate,
    { ...rate, nullable: true },
    { ...rate, max: 2 },
    seeds,
    { ...seeds, min: 3 },
    size,
    dictionary,
    { type: 'name', doc },
    { type: 'text', maxLength: 5, doc },
    { type: 'text', doc },
    { type: 'texts', maxLength: 2, doc },
    { type: 'choice', choices: ['f32', 'f16'], doc },
    { type: 'flag', doc },
  ];
  const typed = [
    '', ' ', '0', '1', '-1', '2', '3', '9', '10', '0.5', '1.5', '4,096', '0,5', '3e-4', '1e400', 'NaN', 'none',
    '0-4', '0-5', '3,4', '1,1', 'a', 'ab, cd', 'abc', 'a/0', 'a/b', '../x/0', '800MB', '2 GB', '0MB', 'f16', 'on',
    'off', 'hello', 'helloo', 'a/99999999999999999999', '9007199254740993',
  ]; // prettier-ignore

  test.each(fields)('accepts whatever the field reads: $type', (field) => {
    const read = typed.map((text) => readField(field, text)).filter((one) => 'value' in one);
    expect(read.length).toBeGreaterThan(0);
    for (const { value } of read) expect(fieldSchema(field).parse(value)).toEqual(value);
  });

  test.each([
    [positive, [0, -1, 1.5, '1', null, 2 ** 53]],
    [{ type: 'integer', min: 2, max: 9, doc }, [1, 10]],
    [share, [-0.1, 1.1, NaN, Infinity]],
    [rate, [0, -1, null]],
    [{ ...rate, max: 2 }, [2.1]],
    [seeds, [[], [-1], [1, 1], [0, 1, 2, 3, 4, 5], [0.5], 0]],
    [size, ['much', '0MB', '2GiB', 2e9]],
    [dictionary, [{ run: '../x', seed: 0 }, { run: 'x', seed: -1 }, { run: 'x', seed: 0, more: 1 }, 'x/0']],
    [{ type: 'name', doc }, ['../up', '', 'a b']],
    [{ type: 'text', maxLength: 5, doc }, ['', 'helloo', 5]],
    [{ type: 'texts', maxLength: 2, doc }, [[], ['abc'], [''], 'ab']],
    [{ type: 'choice', choices: ['f32', 'f16'], doc }, ['f64', '']],
    [{ type: 'flag', doc }, ['on', 1, null]],
  ] satisfies [Field, unknown[]][])('refuses what the field does not have: %o', (field, values) => {
    for (const value of values) expect(fieldSchema(field as Field).safeParse(value).success).toBe(false);
  });
});
