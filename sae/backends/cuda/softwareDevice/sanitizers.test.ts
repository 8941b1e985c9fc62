/**
 * What the address and undefined-behaviour sanitizers find in kernels. Each fault ends a process of its own; it runs only
 * where `npm run test:cuda` has started Node with the sanitizers' run-time.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const works = process.env.LAZYSCOPE_CUDA_SANITIZE === '1';
const skipped = works ? '' : ' (only with npm run test:cuda)';
const here = dirname(fileURLToPath(import.meta.url));
const folder = works ? mkdtempSync(join(tmpdir(), 'lazyscope-sanitizers-')) : '';
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a process prints in which the kernel runs, on 64 threads with 64 numbers. */
function outcome(body: string): string {
  const program = join(folder, 'run.mts');
  writeFileSync(
    program,
    `import { deviceForTests } from ${JSON.stringify(join(here, 'deviceForTests.ts'))};
const device = await deviceForTests(${JSON.stringify(`extern "C" __global__ void kernel(float* x, int n) { ${body} }`)});
device.run('kernel', { grid: 2, block: 64, sharedBytes: 256 }, [device.upload(new Float32Array(64)), 3]);
device.device.synchronize();
console.log('finished');`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], { encoding: 'utf8' });
  return stdout + stderr;
}

describe.skipIf(!works)(`the sanitizers${skipped}`, () => {
  test('are content with what is right', () => {
    expect(
      outcome(`__shared__ float tile[64]; extern __shared__ float more[];
tile[threadIdx.x] = x[threadIdx.x]; __syncthreads(); more[threadIdx.x] = tile[63 - threadIdx.x]; __syncthreads();
if (blockIdx.x == 0) x[threadIdx.x] = __shfl_xor_sync(0xffffffff, more[threadIdx.x], n);`),
    ).toBe('finished\n');
  });

  test.each([
    ['past global memory', 'x[threadIdx.x + (threadIdx.x == 63)] = 1.0f;', /heap-buffer-overflow/],
    ['before global memory', 'x[(int)threadIdx.x - 1] = 1.0f;', /heap-buffer-overflow/],
    [
      'past dynamic shared memory',
      'extern __shared__ float t[]; t[threadIdx.x + n / 3] = x[0];',
      /heap-buffer-overflow/,
    ],
    [
      'past static shared memory',
      '__shared__ float t[64]; float* p = t; p[threadIdx.x + n / 3] = x[0];',
      /heap-buffer-overflow/,
    ],
    [
      'past an array of the thread',
      'float t[8]; for (int i = 0; i <= n + 5; i++) t[i] = i; x[threadIdx.x] = t[n];',
      /out of bounds|stack-buffer-overflow/,
    ],
    [
      'an index past its array',
      '__shared__ float t[4][8]; t[n][n + 5] = 1.0f;',
      /index 8 out of bounds for type 'float \[8\]'/,
    ],
    ['a shift by too many bits', 'x[0] = 1 << (n * 11);', /shift exponent 33 is too large/],
    ['a signed overflow', 'x[0] = 0x7fffffff + n;', /signed integer overflow/],
    ['an address that is not aligned', '*(float2*)(x + 1) = make_float2(0, 0);', /misaligned address/],
    ['a division by 0', 'x[0] = 7 / (n - 3);', /division by zero/],
  ])('find %s', (_, body, message) => {
    const said = outcome(body);
    expect(said).toMatch(message);
    expect(said).not.toContain('finished');
  });
});
