import { tf, type Tf } from '../../../tensor/tf.ts';
import type { NativeLibrary } from '../library.ts';
import type { NativeBackend } from '../nativeBackend.ts';
import { activationKernels } from './activationFunctions.ts';
import { elementwiseKernels } from './elementwise.ts';
import { indexingKernels } from './indexing.ts';
import type { Inputs } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';
import { languageModelKernels } from './languageModel.ts';
import { nativeMovementKernels } from './movement.ts';
import { productKernels } from './product.ts';
import { reductionKernels } from './reduction.ts';
import { sparsityKernels } from './sparsity.ts';

/** These share memory by TF.js's own reference count, so they need no guard. */
const sharing = new Set(['Identity', 'Reshape', 'ExpandDims']);

/** The kernels that are written in C++, by the names that TF.js gives them. */
export function nativeKernels(backend: NativeBackend, library: NativeLibrary): NativeKernels {
  const context: KernelContext = { backend, library, fallback: (name) => fallbackKernel(name, backend) };
  return {
    ...elementwiseKernels(context),
    ...productKernels(context),
    ...reductionKernels(context),
    ...nativeMovementKernels(context),
    ...indexingKernels(context),
    ...languageModelKernels(context),
    ...activationKernels(context),
    ...sparsityKernels(context),
  };
}

/** Registers our kernels, and TF.js's own CPU kernels for everything else, under `backendName`. */
export function registerKernels(backendName: string, backend: NativeBackend, library: NativeLibrary): void {
  const ours = nativeKernels(backend, library);
  for (const [kernelName, kernel] of Object.entries(ours))
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => kernel(inputs as Inputs, attrs ?? {}),
    });
  for (const config of tf.getKernelsForBackend('cpu'))
    if (!(config.kernelName in ours))
      tf.registerKernel({ ...config, backendName, kernelFunc: fallbackKernel(config.kernelName, backend) });
}

function fallbackKernel(name: string, backend: NativeBackend): Tf.KernelFunc {
  const config = tf.getKernel(name, 'cpu');
  if (!config) throw new Error(`TF.js has no CPU kernel ${name}.`);
  return sharing.has(name) ? config.kernelFunc : guarded(config.kernelFunc, backend);
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
