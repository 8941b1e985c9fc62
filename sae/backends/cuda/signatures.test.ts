import { expect, test } from 'vitest';
import { includedFiles, kernelSignatures } from './signatures.ts';

test('reads names and types of parameters, whatever stands around them', () => {
  const source = `
    #include "prelude.cuh"
    // extern "C" __global__ void commented(int a) {}
    __device__ inline float twice(float x) { return 2 * x; }
    extern "C" __global__ void __launch_bounds__(256, 2) scale(const float* __restrict__ x, float * y, int count,
                                                              /* how much */ const float by) {}
    extern "C" __global__ __launch_bounds__(32) void many(unsigned int a, unsigned b, long long c,
      unsigned long long d, double e, int64_t f, const unsigned short *const bits, uint32_t g) {}
    extern "C" __global__ void nothing() {}`;
  const signatures = kernelSignatures('test.cu', source);
  expect([...signatures.keys()]).toEqual(['scale', 'many', 'nothing']);
  expect(signatures.get('scale')).toEqual([
    { name: 'x', type: 'pointer' },
    { name: 'y', type: 'pointer' },
    { name: 'count', type: 'int' },
    { name: 'by', type: 'float' },
  ]);
  expect(signatures.get('many')?.map(({ type }) => type)).toEqual([
    'unsigned', 'unsigned', 'long long', 'unsigned long long', 'double', 'long long', 'pointer', 'unsigned',
  ]); // prettier-ignore
  expect(signatures.get('nothing')).toEqual([]);
  expect(includedFiles(source)).toEqual(['prelude.cuh']);
});

test.each([
  ['a type that cannot be passed', 'extern "C" __global__ void k(short s) {}', /type short/],
  ['a parameter without a name', 'extern "C" __global__ void k(float*) {}', /name/],
  [
    'a name that comes twice',
    'extern "C" __global__ void k(int a) {}\nextern "C" __global__ void k(float b) {}',
    /k twice/,
  ],
])('refuses %s', (_, source, message) => {
  expect(() => kernelSignatures('test.cu', source)).toThrow(message);
});
