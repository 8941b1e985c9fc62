import { isLazyscopeError, LazyscopeError } from '../../errors.ts';
import type { FusedKernels } from '../../ops/fusedKernels.ts';
import { registerFusedKernels } from '../../ops/kernelTable.ts';
import { registerStoredTensors } from '../../ops/storedTensor.ts';
import { registerTopPairs } from '../../ops/topPairs.ts';
import { tf } from '../../tensor/tf.ts';
import type { Backend, BackendOptions } from '../backend.ts';
import { deviceOfProcess, type PlaceOnMachine } from './deviceOfProcess.ts';
import { deviceRates } from './deviceRates.ts';
import { cudaFusedKernels } from './fused.ts';
import type { PathChoice } from '../entriesForm.ts';
import { registerCudaKernels } from './kernels/registerCudaKernels.ts';
import { storedTensors } from './storedWeights.ts';
import { cudaTopPairs } from './topPairs.ts';
import { countCudaDevices, describeCuda, openCuda, type OpenedCuda } from './openCuda.ts';

const choice: PathChoice = { path: 'auto' };

interface Registered extends OpenedCuda {
  /** What TF.js calls it. */
  readonly name: string;
  readonly kernels: FusedKernels;
}

/** The device that is TF.js's backend `cuda`, and others, which are `cuda:1` and so on by their numbers. */
let first: Promise<Registered> | undefined;
const others = new Map<number, Promise<Registered>>();

async function register(name: string, index: number | undefined): Promise<Registered> {
  const opened = await openCuda({ index });
  const { backend } = opened;
  registerCudaKernels(backend, name);
  tf.registerBackend(name, () => backend);
  registerTopPairs(name, cudaTopPairs(backend));
  registerStoredTensors(name, storedTensors(backend));
  const kernels: FusedKernels = {
    ...cudaFusedKernels(backend, { choice, name }),
    hostTimes: () => ({ ...backend.device.host, submit: 0 }),
    // On a processor, products of the size that is asked for would take minutes.
    ...(!backend.programs.architecture.software && { rates: (shape) => deviceRates(backend, shape) }),
  };
  registerFusedKernels(kernels);
  return { ...opened, name, kernels };
}

/** Each device of the list once; the first is TF.js's backend `cuda`. One that fails is tried again when it is next asked for. */
async function registerAll({ devices, process: place }: BackendOptions): Promise<readonly Registered[]> {
  if (place && devices)
    throw new LazyscopeError(
      'bad_input',
      'Of several processes each takes one GPU, so that there are no devices to choose: leave --devices out.',
    );
  const indices =
    devices === 'all' ? Array.from({ length: await countCudaDevices() }, (_, index) => index) : devices;
  first ??= register('cuda', place ? await indexOf(place) : indices?.[0]);
  const main = await first.catch((error: unknown) => {
    first = undefined;
    throw error;
  });
  if (!indices) return [main];
  const all: Registered[] = [];
  for (const index of new Set(indices)) {
    if (index === main.backend.device.index) {
      all.push(main);
      continue;
    }
    const other = others.get(index) ?? register(`cuda:${index}`, index);
    others.set(index, other);
    const opened = await other.catch((error: unknown) => {
      others.delete(index);
      throw error;
    });
    // TF.js makes the backend when it is first asked for.
    await tf.setBackend(opened.name);
    all.push(opened);
  }
  return all;
}

/** The device of one of several processes; undefined where LAZYSCOPE_CUDA_DEVICE names it. */
async function indexOf(place: PlaceOnMachine): Promise<number | undefined> {
  const { LAZYSCOPE_CUDA_DEVICE: named, CUDA_VISIBLE_DEVICES: visible } = process.env;
  return named ? undefined : deviceOfProcess(place, await countCudaDevices(), visible);
}

/** NVIDIA GPUs through the driver's own API: kernels in CUDA C++ compiled by NVRTC, products by cuBLASLt. */
export const cudaBackend: Backend = {
  name: 'cuda',
  async start({
    hardwareOnly = false,
    storage = 'f32',
    path = 'auto',
    products = 'f32',
    graphs = true,
    screening = true,
    ...places
  }) {
    if (hardwareOnly && process.env.LAZYSCOPE_CUDA_DEVICE === 'software')
      throw new LazyscopeError(
        'unavailable',
        'Backend cuda was given the device in software, which is for tests.',
      );
    const all = await registerAll(places);
    // What is missing is to be said before anything is begun.
    if (places.process) all[0].backend.nccl();
    for (const { backend } of all) {
      backend.storage = storage === 'bf16' ? 'bf16' : 'f32';
      backend.productType = products;
      backend.graphs = graphs;
      backend.screening = screening ? 'whereItPays' : 'never';
    }
    choice.path = path;
    const [{ name }] = all;
    if (!(await tf.setBackend(name)))
      throw new LazyscopeError('unavailable', 'TF.js refused the cuda backend: run npm ci again.');
    await tf.ready();
    const tables = all.map(({ kernels }) => kernels);
    registerFusedKernels(tables.length > 1 ? { ...tables[0], devices: tables } : tables[0]);
    return {
      threads: 1,
      detail: all.map(({ detail }) => detail).join('; '),
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
