import { LazyscopeError, isLazyscopeError } from '../../errors.ts';
import { registerFusedKernels } from '../../ops/kernelTable.ts';
import { tf } from '../../tensor/tf.ts';
import type { Backend } from '../backend.ts';
import { type Adapter, adapterRemedy, findAdapter, openDevice } from './adapter.ts';
import { createDeviceBackend } from './deviceBackend.ts';
import { DeviceSums } from './deviceSums.ts';
import { registerElementwise } from './elementwise.ts';
import { webgpuFusedKernels } from './fused.ts';
import { Products, registerProducts } from './matMul.ts';
import { Programs } from './programs.ts';
import { registerQuotient } from './scalars.ts';
import { subgroupMatricesLack } from './subgroupMatrices.ts';
import { hasOrderedSubgroups } from './subgroups.ts';
import { registerSum } from './sumKernel.ts';
import type { PathChoice } from '../entriesForm.ts';

const choice: PathChoice = { path: 'auto' };
/** Asked when it is first wanted. */
let matricesLack: Promise<string | null> | undefined;
let started: Promise<{ adapter: Adapter; products: Products }> | undefined;

async function register(): Promise<{ adapter: Adapter; products: Products }> {
  const adapter = await findAdapter();
  const device = await openDevice(adapter);
  const backend = createDeviceBackend(adapter, device);
  tf.registerBackend('webgpu', () => backend);
  // Dawn crashes if the process ends while the device is still computing.
  process.once('exit', () => backend.close());
  const programs = new Programs(backend, { subgroups: await hasOrderedSubgroups(device) });
  const products = new Products(backend, programs);
  registerProducts(products);
  registerElementwise(backend, programs);
  registerSum(backend, new DeviceSums(backend, programs));
  registerQuotient({ backend, programs });
  registerFusedKernels(webgpuFusedKernels(backend, programs, products, { choice }));
  return { adapter, products };
}

/** GPUs of every vendor through Dawn: TF.js's WebGPU kernels, and the fused ones in WGSL. */
export const webgpuBackend: Backend = {
  name: 'webgpu',
  async start({ hardwareOnly = false, storage = 'f32', path = 'auto' }) {
    if (hardwareOnly && (await findAdapter()).software)
      throw new LazyscopeError(
        'unavailable',
        'Backend webgpu finds no GPU, only a driver that computes on the processor.',
      );
    started ??= register();
    const { adapter, products } = await started.catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    if (storage === 'f16' && !adapter.gpu.features.has('shader-f16'))
      throw new LazyscopeError(
        'unavailable',
        `Storage f16 needs the feature shader-f16, which ${adapter.description} does not offer: use storage f32.`,
      );
    products.copies.storage = storage === 'f16' ? 'f16' : 'f32';
    if (storage === 'f16') matricesLack ??= subgroupMatricesLack(await findAdapter());
    const lack = storage === 'f16' ? await matricesLack : undefined;
    products.matrices = lack === null;
    choice.path = path;
    if (!(await tf.setBackend('webgpu')))
      throw new LazyscopeError('unavailable', 'TF.js refused the webgpu backend: run npm ci again.');
    await tf.ready();
    if (storage !== 'f16') return { threads: 1, detail: adapter.description };
    const means = lack === null ? 'products by subgroup matrices' : `no subgroup matrices: ${lack}`;
    return { threads: 1, detail: `${adapter.description}; ${means}`, storage };
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
