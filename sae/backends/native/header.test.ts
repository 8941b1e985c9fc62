import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import { describeFunctions } from './describeFunctions.ts';
import { parseHeader, scriptName } from './header.ts';

const within = (code: string) =>
  `#pragma once\n#include <cstdint>\n#define NULLABLE\nextern "C" {\n${code}\n}\n`;

test('structs and functions, with what a pointer leads to, whether it is written and whether it may be null', () => {
  const { structs, functions } = parseHeader(
    within(`
      // A comment; with signs: void f(int x);
      struct LazyscopeInner { float* sums; };
      struct LazyscopeOuter {
        int64_t rows;          // how many
        LazyscopeInner inner;
        const LazyscopeInner* NULLABLE other;
      };
      double lazyscope_do_it(const LazyscopeOuter* outer, const int32_t* index,
                             const float* NULLABLE bias, void* out, float scale);
      int32_t lazyscope_ask();`),
  );
  expect([...structs]).toEqual([
    [
      'LazyscopeInner',
      [{ name: 'sums', type: { kind: 'pointer', to: 'float', written: true, nullable: false } }],
    ],
    [
      'LazyscopeOuter',
      [
        { name: 'rows', type: { kind: 'number', type: 'int64_t' } },
        { name: 'inner', type: { kind: 'struct', type: 'LazyscopeInner' } },
        { name: 'other', type: { kind: 'structPointer', to: 'LazyscopeInner', nullable: true } },
      ],
    ],
  ]);
  expect([...functions.values()]).toEqual([
    {
      name: 'lazyscope_do_it',
      result: 'double',
      parameters: [
        { name: 'outer', type: { kind: 'structPointer', to: 'LazyscopeOuter', nullable: false } },
        { name: 'index', type: { kind: 'pointer', to: 'int32_t', written: false, nullable: false } },
        { name: 'bias', type: { kind: 'pointer', to: 'float', written: false, nullable: true } },
        { name: 'out', type: { kind: 'pointer', to: 'void', written: true, nullable: false } },
        { name: 'scale', type: { kind: 'number', type: 'float' } },
      ],
    },
    { name: 'lazyscope_ask', result: 'int32_t', parameters: [] },
  ]);
});

describe('what it does not know it refuses, and quotes', () => {
  test.each([
    ['void f(unsigned x);', 'unsigned x'],
    ['void f(size_t x);', 'size_t x'],
    ['void f(int32_t);', 'int32_t'],
    ['void f(float** x);', 'float** x'],
    ['void f(float x[4]);', 'float x[4]'],
    ['void f(const int32_t x);', 'const int32_t x'],
    ['void f(int32_t NULLABLE x);', 'int32_t NULLABLE x'],
    ['void f(float *x);', 'float *x'],
    ['void f(Unknown* x);', 'Unknown* x'],
    ['float* f(int32_t x);', 'float* f'],
    ['unsigned f(int32_t x);', 'unsigned'],
    ['typedef int32_t number;', 'typedef'],
    ['#define OTHER 1', '#define OTHER'],
    ['struct S { int32_t a, b; };', 'int32_t a, b'],
    ['struct S { int32_t a; int32_t a; };', 'a'],
    ['struct S { int32_t a; }; struct S { int32_t a; };', 'S'],
    ['struct S { int32_t a; }; void f(S* s);', 'S* s'],
    ['struct S { int32_t a; }; void f(S s);', 'f'],
    ['void f(int32_t x); void f(float x);', 'f'],
    ['void f(int32_t x) { }', 'void f'],
    [`void f(${Array.from({ length: 9 }, (_, i) => `int32_t x${i}`).join(', ')});`, 'f'],
  ])('%s', (code, quoted) => {
    let message = '';
    try {
      parseHeader(within(code));
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('lazyscope.h');
    expect(message).toContain(quoted);
  });

  test('a declaration outside of extern "C", which C++ would export under another name', () => {
    expect(() => parseHeader('extern "C" {\n}\nvoid f(int32_t x);')).toThrow(/extern "C"/);
  });
});

test('names of C become names of TypeScript', () => {
  expect(['lazyscope_rms_norm', 'LazyscopeAdamW', 'row_start', 'x'].map(scriptName)).toEqual([
    'rmsNorm',
    'AdamW',
    'rowStart',
    'x',
  ]);
});

test('the types in nativeFunctions.ts are those of the header: else run npx tsx scripts/writeNativeTypes.ts', async () => {
  const header = parseHeader(readFileSync(join(import.meta.dirname, 'source', 'lazyscope.h'), 'utf8'));
  const path = join(import.meta.dirname, 'nativeFunctions.ts');
  const text = await format(describeFunctions(header), { ...(await resolveConfig(path)), filepath: path });
  expect(readFileSync(path, 'utf8')).toBe(text);
});
