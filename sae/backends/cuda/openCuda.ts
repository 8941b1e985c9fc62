/**
 * Loads the libraries, opens the device that LAZYSCOPE_CUDA_DEVICE names (a number as nvidia-smi counts them, 0 when unset; or
 * `software` for the one that computes on the processor), and puts the parts of the backend together.
 */
import koffi from 'koffi';
import { LazyscopeError } from '../../errors.ts';
import { BlasLt, blasLtVersion } from './blasLt.ts';
import { CudaBackend } from './cudaBackend.ts';
import { describeDevice, Device, deviceCount, type DeviceDescription } from './device.ts';
import { Driver, versionName } from './driver.ts';
import type { KernelCompiler } from './kernelCompiler.ts';
import { KernelImages } from './kernelImages.ts';
import { sourceFolder } from './kernelSource.ts';
import { type Library, loadLibrary, placeOf } from './libraries.ts';
import { describeNccl, Nccl } from './nccl.ts';
import { architectureName, Nvrtc } from './nvrtc.ts';
import { Products } from './products.ts';
import { Programs } from './programs.ts';
import { softwareDevice } from './softwareDevice/softwareDevice.ts';

/** Everything that the backend needs, found but not opened. */
interface Found {
  readonly driver: Driver;
  readonly index: number;
  readonly device: DeviceDescription;
  readonly compiler: KernelCompiler;
  readonly blasLt: Library;
  readonly nccl: () => Nccl;
  /** For people: device, versions, where the libraries are. */
  readonly detail: string;
  readonly exactMemory: boolean;
}

/** What the backend would run on. Throws `unavailable` with what is missing. */
export async function describeCuda(): Promise<string> {
  return (await find()).detail;
}

export interface OpenedCuda {
  readonly backend: CudaBackend;
  readonly detail: string;
}

export interface OpenOptions {
  /** Where the .cu files are. */
  readonly sources?: string | undefined;
  /** Where what is compiled of them is kept. */
  readonly images?: string | undefined;
  /** The number of the device, in the place of the one that LAZYSCOPE_CUDA_DEVICE names. */
  readonly index?: number | undefined;
}

/** Opens a device. Throws `unavailable` with what is missing, or where there is no device of that number. */
export async function openCuda({
  sources = sourceFolder,
  images,
  index: asked,
}: OpenOptions = {}): Promise<OpenedCuda> {
  const found = await find(asked);
  const { driver, index, device: described, compiler, blasLt, nccl, detail, exactMemory } = found;
  const device = new Device(driver, index, described, { exactMemory });
  const programs = new Programs(device, new KernelImages(compiler, images), sources);
  const products = new Products(device, programs, new BlasLt(device, blasLt));
  return { backend: new CudaBackend(device, programs, products, nccl), detail };
}

/** How many devices there are: GPUs, or those in software. Throws `unavailable` where there is no driver. */
export async function countCudaDevices(): Promise<number> {
  if (process.env.LAZYSCOPE_CUDA_DEVICE !== 'software')
    return deviceCount(new Driver(loadLibrary('libcuda').library));
  return deviceCount(new Driver(koffi.load((await softwareDevice()).library)));
}

async function find(index?: number): Promise<Found> {
  const wanted = process.env.LAZYSCOPE_CUDA_DEVICE || '0';
  if (wanted === 'software') return findSoftware(index ?? 0);
  if (index !== undefined) return findGpu(index);
  if (!/^\d+$/.test(wanted))
    throw new LazyscopeError(
      'bad_input',
      `LAZYSCOPE_CUDA_DEVICE must be the number of a GPU, or software, but is ${wanted}: nvidia-smi lists them.`,
    );
  return findGpu(Number(wanted));
}

function findGpu(index: number): Found {
  const driver = new Driver(loadLibrary('libcuda').library);
  const device = describeDevice(driver, index, false);
  const compilers = loadLibrary('libnvrtc');
  const nvrtc = new Nvrtc(compilers.library);
  const blasLt = loadLibrary('libcublasLt');
  const { major, minor } = device.architecture;
  const detail = [
    `${device.name}, ${Math.round(device.totalBytes / 1e9)} GB, compute capability ${major}.${minor}`,
    `driver for ${versionName(driver.version)}`,
    `NVRTC ${nvrtc.version}${placeOf(compilers.path)}`,
    `cuBLASLt ${blasLtVersion(blasLt.library)}${placeOf(blasLt.path)}`,
    describeNccl(),
  ].join(', ');
  const compiler = nvrtc.compilerFor(architectureName(device.architecture));
  const nccl = () => new Nccl(loadLibrary('libnccl').library);
  return { driver, index, device, compiler, blasLt: blasLt.library, nccl, detail, exactMemory: false };
}

async function findSoftware(index: number): Promise<Found> {
  const { library: path, compiler, checksAccesses } = await softwareDevice();
  const library = koffi.load(path);
  const driver = new Driver(library);
  const device = describeDevice(driver, index, true);
  const detail = `${device.name}, a CUDA device in software, for tests`;
  const nccl = () => new Nccl(library);
  return { driver, index, device, compiler, blasLt: library, nccl, detail, exactMemory: checksAccesses };
}
