/**
 * Every fused WGSL kernel against the reference kernel on TF.js's plain backend. Where the device has subgroups, cases run with them
 * and without, on all rows at once and on blocks of few, to the same bits.
 */
import { beforeAll, describe, vi } from 'vitest';
import { describeFusedKernels } from '../../fixtures/fusedCases.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { adapterForTests } from './adapterForTests.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { webgpuFusedKernels } from './fused.ts';
import { Products } from './matMul.ts';
import { Programs } from './programs.ts';
import { hasOrderedSubgroups } from './subgroups.ts';

const adapter = await adapterForTests();

/** The same kernels without subgroups, on small blocks of rows; null where the device has no subgroups, so that the first table is without them already. */
let throughMemory: FusedKernels | null = null;

describe.skipIf(!adapter.found)(`on ${adapter.description}`, () => {
  // A software driver on a busy machine takes long to compile shaders.
  vi.setConfig({ testTimeout: 240_000 });
  beforeAll(async () => {
    await startBackend('webgpu');
    const backend = tf.backend() as DeviceBackend;
    if (!(await hasOrderedSubgroups(backend.device))) return;
    const programs = new Programs(backend, { subgroups: false });
    throughMemory = webgpuFusedKernels(backend, programs, new Products(backend, programs), {
      blockBytes: 2048,
      topKChunk: 64,
    });
  });

  // To save compiling.
  const othersCostly = true;
  describeFusedKernels({
    backend: 'webgpu',
    others: () => (throughMemory ? [throughMemory] : []),
    othersCostly,
  });
});
