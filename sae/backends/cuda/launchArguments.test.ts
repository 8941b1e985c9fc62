import koffi from 'koffi';
import { expect, test } from 'vitest';
import { LaunchArguments } from './launchArguments.ts';
import type { Parameter } from './signatures.ts';

const parameters: readonly Parameter[] = [
  { name: 'x', type: 'pointer' },
  { name: 'count', type: 'int' },
  { name: 'by', type: 'float' },
  { name: 'seed', type: 'unsigned' },
  { name: 'all', type: 'long long' },
  { name: 'mask', type: 'unsigned long long' },
  { name: 'exact', type: 'double' },
  { name: 'y', type: 'pointer' },
];
const args = new LaunchArguments('kernel', parameters);
const buffer = { address: 0x7f00_1234_5678n, bytes: 4 };

test('what the driver reads through the pointers is what was passed', () => {
  args.write([buffer, -7, 0.1, 2 ** 32 - 1, -(2 ** 40), 2n ** 63n, 1e-300, null]);
  const place = (i: number) => koffi.decode(BigInt(args.address), i * 8, 'uint64') as number;
  const read = (i: number, type: string) => koffi.decode(BigInt(place(i)), type) as number | bigint;
  expect(BigInt(read(0, 'uint64'))).toBe(buffer.address);
  expect(read(1, 'int32')).toBe(-7);
  expect(read(2, 'float')).toBe(Math.fround(0.1));
  expect(read(3, 'uint32')).toBe(2 ** 32 - 1);
  expect(read(4, 'int64')).toBe(-(2 ** 40));
  expect(read(5, 'uint64')).toBe(2n ** 63n);
  expect(read(6, 'double')).toBe(1e-300);
  expect(read(7, 'uint64')).toBe(0);
  for (let i = 0; i < parameters.length; i++)
    expect(place(i) % (['int', 'float', 'unsigned'].includes(parameters[i].type) ? 4 : 8)).toBe(0);
});

test.each([
  ['too few', [buffer], /takes 8 arguments \(x, count/],
  ['a number for a pointer', [5, 1, 1, 1, 1, 1, 1, null], /parameter x is a pointer but was given 5/],
  ['a fraction for an integer', [buffer, 0.5, 1, 1, 1, 1, 1, null], /count is a int but was given 0.5/],
  ['an integer that is too large', [buffer, 2 ** 31, 1, 1, 1, 1, 1, null], /count/],
  ['a negative unsigned', [buffer, 1, 1, -1, 1, 1, 1, null], /seed/],
  ['a buffer for a number', [buffer, 1, buffer, 1, 1, 1, 1, null], /by is a float but was given a buffer/],
  ['a number that is not exact', [buffer, 1, 1, 1, 2 ** 60, 1, 1, null], /all/],
  ['nothing for a number', [buffer, 1, 1, 1, 1, 1, null, null], /exact .* null/],
])('refuses %s', (_, given, message) => {
  expect(() => args.write(given)).toThrow(message);
});
