/**
 * Every fused CUDA kernel, on the device in software unless LAZYSCOPE_CUDA_DEVICE names another, against the reference kernel on TF.js's plain backend. Every
 * case runs on all rows at once and on blocks of few, to the same bits.
 */
import { describe, vi } from 'vitest';
import { describeFusedKernels } from '../../fixtures/fusedCases.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { tf } from '../../tensor/tf.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import type { CudaBackend } from './cudaBackend.ts';
import { cudaFusedKernels } from './fused.ts';

chooseCudaDeviceForTests();

/** The same kernels, choosing from small blocks of rows, and with screening wherever it is possible or nowhere. */
let tables: readonly FusedKernels[] | undefined;
const device = {
  backend: 'cuda',
  others: () =>
    (tables ??= (['never', 'always'] as const).map((screening) =>
      cudaFusedKernels(tf.backend() as CudaBackend, { blockBytes: 2048, screening }),
    )),
} as const;

describe('on the device', () => {
  // Each kernel is compiled for each width, on a machine that may be busy.
  vi.setConfig({ testTimeout: 240_000 });

  describeFusedKernels(device);
});
