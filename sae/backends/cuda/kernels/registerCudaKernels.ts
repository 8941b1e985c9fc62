import { tf, type Tf } from '../../../tensor/tf.ts';
import type { CudaBackend } from '../cudaBackend.ts';
import { attentionKernels } from './attention.ts';
import { elementwiseKernels } from './elementwise.ts';
import { hostKernels } from './hostKernels.ts';
import { indexingKernels } from './indexing.ts';
import type { Inputs } from '../../kernelInputs.ts';
import type { CudaKernels, HostKernel, KernelContext } from './kernelContext.ts';
import { languageModelKernels } from './languageModel.ts';
import { cudaMovementKernels } from './movement.ts';
import { productKernels } from './product.ts';
import { reductionKernels } from './reduction.ts';
import { sparsityKernels } from './sparsity.ts';

/** These share memory by TF.js's own reference count and look at no values, wherever those are. */
const sharing = new Set(['Identity', 'Reshape', 'ExpandDims']);

/** The kernels that run on the device, by the names that TF.js gives them. */
export function cudaKernels(backend: CudaBackend): CudaKernels {
  const context: KernelContext = { backend, fallback: (name) => hostKernel(name, backend) };
  return {
    ...elementwiseKernels(context),
    ...productKernels(context),
    ...reductionKernels(context),
    ...cudaMovementKernels(context),
    ...indexingKernels(context),
    ...attentionKernels(context),
    ...languageModelKernels(context),
    ...sparsityKernels(context),
  };
}

/** Registers our kernels, and TF.js's own CPU kernels for everything else, under the backend's name. */
export function registerCudaKernels(backend: CudaBackend, backendName = 'cuda'): void {
  const ours = cudaKernels(backend);
  for (const [kernelName, kernel] of Object.entries(ours))
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => kernel(inputs as Inputs, attrs ?? {}),
    });
  for (const config of tf.getKernelsForBackend('cpu')) {
    const { kernelName } = config;
    if (kernelName in ours) continue;
    const onHost = hostKernel(kernelName, backend);
    const kernelFunc: Tf.KernelFunc = sharing.has(kernelName)
      ? config.kernelFunc
      : ({ inputs, attrs }) => onHost(inputs as Inputs, attrs ?? {});
    tf.registerKernel({ ...config, backendName, kernelFunc });
  }
}

/** TF.js's own kernel of that name. It fetches what it reads from the device, so it is counted, unless it reads nothing. */
function hostKernel(name: string, backend: CudaBackend): HostKernel {
  const config = tf.getKernel(name, 'cpu');
  if (!config) throw new Error(`TF.js has no CPU kernel ${name}.`);
  return (inputs, attrs) => {
    if (Object.keys(inputs).length > 0) hostKernels.count(name);
    return config.kernelFunc({ inputs, attrs, backend });
  };
}
