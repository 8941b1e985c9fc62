import { describe, expect, test } from 'vitest';
import { tf } from '../tensor/tf.ts';
import { conformanceCases } from './conformanceCases.ts';
import { chooseCudaDeviceForTests } from './cuda/cudaDeviceForTests.ts';
import { hostKernels } from './cuda/kernels/hostKernels.ts';
import { cudaKernels } from './cuda/kernels/registerCudaKernels.ts';
import { openCuda } from './cuda/openCuda.ts';
import { difference, knownDifference, outputsOf } from './conformanceOutputs.ts';
import { nativeKernels } from './native/kernels/registerKernels.ts';
import { nativeLibrary } from './native/library.ts';
import { NativeBackend } from './native/nativeBackend.ts';
import { probeBackends, startBackend } from './startBackend.ts';
import { adapterForTests } from './webgpu/adapterForTests.ts';

await adapterForTests();
chooseCudaDeviceForTests();
await startBackend('cpu');
const reference = conformanceCases().map((c) => ({ c, name: c.name, expected: outputsOf(c) }));
const probes = (await probeBackends()).filter(({ name }) => name !== 'cpu');

describe.each(probes)('backend $name computes as the reference does', ({ name, works, detail }) => {
  if (!works) {
    test.skip(`not on this machine: ${detail}`, () => {});
    return;
  }
  for (const { c, expected } of reference) {
    const reason = knownDifference(name, c.name);
    test.skipIf(reason !== undefined)(reason ? `${c.name} (${reason})` : c.name, async () => {
      if (tf.getBackend() !== name) await startBackend(name);
      const wrong = difference(outputsOf(c), expected, c.tolerance);
      if (wrong) expect.fail(wrong);
    });
  }
});

/** The kernels that the cases use on the active backend. */
async function kernelsUsed(): Promise<Set<string>> {
  const used = new Set<string>();
  for (const { c } of reference) {
    const profile = await tf.profile(() => tf.dispose(c.run()));
    for (const kernel of profile.kernelNames) used.add(kernel);
  }
  return used;
}

const works = (name: string) => probes.some((probe) => probe.name === name && probe.works);

test.skipIf(!works('native'))('the table exercises every kernel of the native backend', async () => {
  const overridden = Object.keys(nativeKernels(new NativeBackend(), await nativeLibrary()));
  await startBackend('native');
  const used = await kernelsUsed();
  expect(overridden.filter((kernel) => !used.has(kernel) && tf.getKernel(kernel, 'cpu'))).toEqual([]);
});

test.skipIf(!works('cuda'))(
  'the table exercises every kernel of the cuda backend, and none of it computes on the host',
  async () => {
    const overridden = Object.keys(cudaKernels((await openCuda()).backend));
    await startBackend('cuda');
    hostKernels.take();
    const used = await kernelsUsed();
    expect(hostKernels.take()).toEqual({});
    expect(overridden.filter((kernel) => !used.has(kernel) && tf.getKernel(kernel, 'cpu'))).toEqual([]);
  },
);
