import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apartTests, isSlow, slowTests } from './slowTests.ts';

test.each(slowTests)('$path, which is named as slow, is there', ({ path }) => {
  expect(existsSync(join(import.meta.dirname, '../..', path))).toBe(true);
});

test('a folder means the files in it, and not files whose names begin alike', () => {
  expect(isSlow('sae/backends/webgpu/fused.test.ts')).toBe(true);
  expect(isSlow('sae/backends/webgpuSomething.test.ts')).toBe(false);
  expect(isSlow('sae/numerics/random.test.ts')).toBe(false);
});

test.each(apartTests)('%s, which has a script of its own, is there and slow', (path) => {
  expect(existsSync(join(import.meta.dirname, '../..', path))).toBe(true);
  expect(isSlow(path)).toBe(true);
});
