import { describe, expect, test } from 'vitest';
import { tf } from '../tensor/tf.ts';
import { conformanceCases } from './conformanceCases.ts';
import { difference, knownDifference, outputsOf } from './conformanceOutputs.ts';
import { nativeKernels } from './native/kernels/registerKernels.ts';
import { nativeLibrary } from './native/library.ts';
import { NativeBackend } from './native/nativeBackend.ts';
import { probeBackends, startBackend } from './startBackend.ts';
import { adapterForTests } from './webgpu/adapterForTests.ts';

await adapterForTests();
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

const native = probes.find((p) => p.name === 'native');
test.skipIf(!native?.works)('the table exercises every kernel of the native backend', async () => {
  const overridden = Object.keys(nativeKernels(new NativeBackend(), await nativeLibrary()));
  await startBackend('native');
  const used = new Set<string>();
  for (const { c } of reference) {
    const profile = await tf.profile(() => tf.dispose(c.run()));
    for (const kernel of profile.kernelNames) used.add(kernel);
  }
  expect(overridden.filter((kernel) => !used.has(kernel) && tf.getKernel(kernel, 'cpu'))).toEqual([]);
});
