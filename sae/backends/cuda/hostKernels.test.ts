/** What of a training computes on the host, where kernels of TF.js's own would fetch tensors from the device. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { trainUntil } from '../../fixtures/smallRuns.ts';
import { architectureNames } from '../../spec/architectures/architectures.ts';
import { tf } from '../../tensor/tf.ts';
import { startBackend } from '../startBackend.ts';
import { chooseCudaDeviceForTests } from './cudaDeviceForTests.ts';
import { cudaBackend } from './cuda.ts';
import { hostKernels } from './kernels/hostKernels.ts';

chooseCudaDeviceForTests();
const probe = await cudaBackend.probe();

describe.skipIf(!probe.works)(`kernels on the host beside ${probe.detail}`, () => {
  vi.setConfig({ testTimeout: 60_000 });
  beforeAll(() => startBackend('cuda'));

  test('one that is not ours computes as on the reference, and is counted', () => {
    hostKernels.take();
    const product = tf.tidy(() => tf.cumprod(tf.add(tf.tensor1d([1, 2, 3]), 1)).dataSync());
    expect([...product]).toEqual([2, 6, 24]);
    expect(hostKernels.take()).toEqual({ Cumprod: 1 });
    expect(hostKernels.take()).toEqual({});
  });

  test.each(architectureNames)('training steps of %s use none', async (architecture) => {
    hostKernels.take();
    const { losses } = await trainUntil(architecture, 3);
    expect(losses).toHaveLength(3);
    expect(hostKernels.take()).toEqual({});
  });
});
