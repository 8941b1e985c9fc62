/** What a training step asks of TF.js several kernels for, in one. */
import type { KernelName } from '../../ops/fusedKernel.ts';
import { tf, type Tensor2D } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import { quotientOrZero, scale, scaleGroups } from './kernels/scalars.ts';
import type { Programs } from './programs.ts';

interface Device {
  readonly backend: DeviceBackend;
  readonly programs: Programs;
}

/** factor · x */
export function scaledBy({ backend, programs }: Device, x: Tensor2D, factor: number): Tensor2D {
  const out = backend.scratch(x.shape, 'float32') as Tensor2D;
  if (x.size > 0) programs.run(scale(x.size, factor), [x, out], scaleGroups(x.size));
  return out;
}

/** The kernel behind `over` of sae/autoencoders/auxK.ts. */
export function registerQuotient({ backend, programs }: Device): void {
  const kernelName = 'QuotientOrZero' satisfies KernelName;
  tf.registerKernel({
    kernelName,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs }) => {
      const { denominator } = inputs;
      if (!denominator) throw new TypeError(`${kernelName} needs a denominator.`);
      const out = backend.makeTensorInfo([], 'float32');
      programs.run(quotientOrZero(Number(attrs?.['numerator'])), [denominator, out], 1);
      return out;
    },
  });
}
