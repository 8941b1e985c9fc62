import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import { registerFusedKernels } from '../../ops/kernelTable.ts';
import { registerStoredTensors } from '../../ops/storedTensor.ts';
import { registerTopPairs } from '../../ops/topPairs.ts';
import { tf } from '../../tensor/tf.ts';
import type { Backend } from '../backend.ts';
import { deviceRates } from './deviceRates.ts';
import { cudaFusedKernels } from './fused.ts';
import type { PathChoice } from '../entriesForm.ts';
import { registerCudaKernels } from './kernels/registerCudaKernels.ts';
import { storedTensors } from './storedWeights.ts';
import { cudaTopPairs } from './topPairs.ts';
import { describeCuda, openCuda, type OpenedCuda } from './openCuda.ts';

const choice: PathChoice = { path: 'auto' };
let started: Promise<OpenedCuda> | undefined;

async function register(): Promise<OpenedCuda> {
  const opened = await openCuda();
  registerCudaKernels(opened.backend);
  tf.registerBackend('cuda', () => opened.backend);
  registerTopPairs('cuda', cudaTopPairs(opened.backend));
  registerStoredTensors('cuda', storedTensors(opened.backend));
  const { backend } = opened;
  registerFusedKernels({
    ...cudaFusedKernels(backend, { choice }),
    hostTimes: () => ({ ...backend.device.host, submit: 0 }),
    // On a processor, products of the size that is asked for would take minutes.
    ...(!backend.programs.architecture.software && { rates: (shape) => deviceRates(backend, shape) }),
  });
  return opened;
}

/** NVIDIA GPUs through the driver's own API: kernels in CUDA C++ compiled by NVRTC, products by cuBLASLt. */
export const cudaBackend: Backend = {
  name: 'cuda',
  async start({ hardwareOnly = false, storage = 'f32', path = 'auto', products = 'f32' }) {
    if (hardwareOnly && process.env.LAZYSCOPE_CUDA_DEVICE === 'software')
      throw new LazyscopeError(
        'unavailable',
        'Backend cuda was given the device in software, which is for tests.',
      );
    started ??= register();
    const { backend, detail } = await started.catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    backend.storage = storage === 'bf16' ? 'bf16' : 'f32';
    backend.productType = products;
    choice.path = path;
    if (!(await tf.setBackend('cuda')))
      throw new LazyscopeError('unavailable', 'TF.js refused the cuda backend: run npm ci again.');
    await tf.ready();
    return {
      threads: 1,
      detail,
      ...(storage === 'bf16' && { storage }),
      ...(products === 'tf32' && { products }),
    };
  },
  async probe() {
    try {
      return { name: 'cuda', works: true, detail: await describeCuda() };
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      const [detail, remedy] = error.message.split(/(?<=\.) |: /);
      return { name: 'cuda', works: false, detail, remedy };
    }
  },
};
