/** Runs wherever NVRTC is found; it needs no GPU. */
import { expect, test } from 'vitest';
import { isLazyscopeError } from '../../errors.ts';
import { loadLibrary } from './libraries.ts';
import { architectureName, Nvrtc } from './nvrtc.ts';

function found(): Nvrtc | null {
  try {
    return new Nvrtc(loadLibrary('libnvrtc').library);
  } catch (error) {
    if (isLazyscopeError(error)) return null;
    throw error;
  }
}
const nvrtc = found();
const skip = nvrtc ? '' : ' (no NVRTC on this machine)';
const source = (body: string) => ({
  file: 'test.cu',
  text: `#include "by.cuh"\nextern "C" __global__ void scale(float* x, int count) { ${body} }`,
  headers: new Map([['by.cuh', '__device__ inline float by(float x) { return x * BY; }']]),
  kernels: new Map(),
});
const right = 'int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < count) x[i] = by(x[i]);';

test('Hopper has kernels of its own', () => {
  expect(architectureName({ major: 9, minor: 0 })).toBe('sm_90a');
  expect(architectureName({ major: 8, minor: 9 })).toBe('sm_89');
  expect(architectureName({ major: 10, minor: 0 })).toBe('sm_100');
});

test.skipIf(!nvrtc).each(['sm_80', 'sm_89', 'sm_90a', 'sm_100'])(`compiles for %s${skip}`, (architecture) => {
  const image = Buffer.from(nvrtc?.compilerFor(architecture).compile(source(right), { BY: 2 }) ?? []);
  expect(image.subarray(1, 4).toString()).toBe('ELF');
  expect(image.includes('scale')).toBe(true);
});

test.skipIf(!nvrtc)(
  `an error is refused, and a warning too where tests ask for it, in the compiler's words${skip}`,
  () => {
    const compile = (body: string) =>
      nvrtc?.compilerFor('sm_80', { strict: true }).compile(source(body), { BY: 2 });
    expect(() => compile('x[0] = undefinedName;')).toThrow(/test\.cu with NVRTC .*undefinedName/);
    expect(() => compile('int unused; x[0] = by(1.0f);')).toThrow(/unused/);
  },
);
