import { tf, type Tf } from '../../../tensor/tf.ts';
import type { NativeLibrary } from '../library.ts';
import type { NativeBackend } from '../nativeBackend.ts';
import { elementwiseKernels } from './elementwise.ts';
import { indexingKernels } from './indexing.ts';
import type { Inputs, KernelContext, NativeKernels } from './kernelContext.ts';
import { movementKernels } from './movement.ts';
import { productKernels } from './product.ts';
import { reductionKernels } from './reduction.ts';

/** These share memory by TF.js's own reference count, so they need no guard. */
const sharing = new Set(['Identity', 'Reshape', 'ExpandDims']);

/** Registers our kernels, and TF.js's own CPU kernels for everything else, under `backendName`. */
export function registerKernels(backendName: string, backend: NativeBackend, library: NativeLibrary): void {
  const cpu = new Map(tf.getKernelsForBackend('cpu').map((config) => [config.kernelName, config]));
  const fallback = (name: string): Tf.KernelFunc => {
    const config = cpu.get(name);
    if (!config) throw new Error(`TF.js has no CPU kernel ${name}.`);
    return sharing.has(name) ? config.kernelFunc : guarded(config.kernelFunc, backend);
  };
  const context: KernelContext = { backend, library, fallback };
  const ours: NativeKernels = {
    ...elementwiseKernels(context),
    ...productKernels(context),
    ...reductionKernels(context),
    ...movementKernels(context),
    ...indexingKernels(context),
  };
  for (const [kernelName, kernel] of Object.entries(ours))
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => kernel(inputs as Inputs, attrs ?? {}),
    });
  for (const [kernelName, config] of cpu)
    if (!(kernelName in ours))
      tf.registerKernel({ ...config, backendName, kernelFunc: fallback(kernelName) });
}

/**
 * TF.js's own kernels may return a view into an input's memory (a contiguous slice does). Such memory must
 * not be reused when the input is disposed.
 */
function guarded(kernelFunc: Tf.KernelFunc, backend: NativeBackend): Tf.KernelFunc {
  return (params) => {
    const result = kernelFunc(params);
    for (const output of Array.isArray(result) ? result : [result]) {
      const made = backend.data.get(output.dataId).values;
      if (!ArrayBuffer.isView(made)) continue;
      for (const input of Object.values(params.inputs).flat()) {
        if (!input || input.dataId === output.dataId || !backend.data.has(input.dataId)) continue;
        const given = backend.data.get(input.dataId).values;
        if (ArrayBuffer.isView(given) && given.buffer === made.buffer) backend.release(input.dataId);
      }
    }
    return result;
  };
}
