import { LazyscopeError, isLazyscopeError } from '../../errors.ts';
import { registerFusedKernels } from '../../ops/fusedKernels.ts';
import { tf } from '../../tensor/tf.ts';
import type { Backend } from '../backend.ts';
import { type Adapter, adapterRemedy, findAdapter, openDevice } from './adapter.ts';
import { createDeviceBackend } from './deviceBackend.ts';
import { webgpuFusedKernels } from './fused.ts';
import { Products, registerProducts } from './matMul.ts';
import { Programs } from './programs.ts';
import { hasOrderedSubgroups } from './subgroups.ts';

let started: Promise<Adapter> | undefined;

async function register(): Promise<Adapter> {
  const adapter = await findAdapter();
  const device = await openDevice(adapter);
  const backend = createDeviceBackend(adapter.dawn, device, adapter.gpu.info);
  tf.registerBackend('webgpu', () => backend);
  // Dawn crashes when the process ends under a device that is still computing.
  process.once('exit', () => backend.close());
  const programs = new Programs(backend, { subgroups: await hasOrderedSubgroups(device) });
  const products = new Products(backend, programs);
  registerProducts(products);
  registerFusedKernels(webgpuFusedKernels(backend, programs, products));
  return adapter;
}

/** GPUs of every vendor through Dawn: TF.js's WebGPU kernels, and the fused ones in WGSL. */
export const webgpuBackend: Backend = {
  name: 'webgpu',
  async start({ hardwareOnly = false }) {
    if (hardwareOnly && (await findAdapter()).software)
      throw new LazyscopeError(
        'unavailable',
        'Backend webgpu finds no GPU, only a driver that computes on the processor.',
      );
    started ??= register();
    const adapter = await started.catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    if (!(await tf.setBackend('webgpu')))
      throw new LazyscopeError('unavailable', 'TF.js refused the webgpu backend: run npm ci again.');
    await tf.ready();
    return { threads: 1, detail: adapter.description };
  },
  async probe() {
    try {
      const { description } = await findAdapter();
      return { name: 'webgpu', works: true, detail: description };
    } catch (error) {
      if (!isLazyscopeError(error)) throw error;
      const [detail, remedy] = error.message.split(/(?<=\.) |: /);
      return { name: 'webgpu', works: false, detail, remedy: remedy ?? adapterRemedy };
    }
  },
};
