/**
 * Loads the libraries, opens the device that LAZYSCOPE_CUDA_DEVICE names (a number as nvidia-smi counts them, 0 when unset),
 * and puts the parts of the backend together.
 */
import { LazyscopeError } from '../../errors.ts';
import { BlasLt, blasLtVersion } from './blasLt.ts';
import { CudaBackend } from './cudaBackend.ts';
import { describeDevice, Device, type DeviceDescription } from './device.ts';
import { Driver, versionName } from './driver.ts';
import { KernelImages } from './kernelImages.ts';
import { type LoadedLibrary, loadLibrary } from './libraries.ts';
import { architectureName, Nvrtc } from './nvrtc.ts';
import { Products } from './products.ts';
import { Programs } from './programs.ts';

interface Found {
  readonly driver: Driver;
  readonly index: number;
  readonly device: DeviceDescription;
  readonly nvrtc: Nvrtc;
  readonly blasLt: LoadedLibrary;
}

/** Everything that the backend needs, found but not opened. Throws `unavailable` with what is missing. */
function find(): Found {
  const index = wantedDevice();
  const driver = new Driver(loadLibrary('libcuda').library);
  const device = describeDevice(driver, index, false);
  const nvrtc = new Nvrtc(loadLibrary('libnvrtc').library);
  return { driver, index, device, nvrtc, blasLt: loadLibrary('libcublasLt') };
}

/** What the backend would run on. Throws `unavailable` with what is missing. */
export function describeCuda(): string {
  return describe(find());
}

/** Opens the device. Throws `unavailable` with what is missing. */
export function openCuda(): { backend: CudaBackend; detail: string } {
  const found = find();
  const device = new Device(found.driver, found.index, false);
  const compiler = found.nvrtc.compilerFor(architectureName(device.architecture));
  const programs = new Programs(device, new KernelImages(compiler));
  const products = new Products(device, programs, new BlasLt(device, found.blasLt.library));
  return { backend: new CudaBackend(device, programs, products), detail: describe(found) };
}

function describe({ driver, device, nvrtc, blasLt }: Found): string {
  const { major, minor } = device.architecture;
  const memory = `${Math.round(device.totalBytes / 1e9)} GB`;
  const versions = `driver for ${versionName(driver.version)}, NVRTC ${nvrtc.version}, cuBLASLt ${blasLtVersion(blasLt.library)}`;
  return `${device.name}, ${memory}, compute capability ${major}.${minor}; ${versions}`;
}

function wantedDevice(): number {
  const wanted = process.env.LAZYSCOPE_CUDA_DEVICE || '0';
  if (!/^\d+$/.test(wanted))
    throw new LazyscopeError(
      'bad_input',
      `LAZYSCOPE_CUDA_DEVICE must be the number of a GPU but is ${wanted}: nvidia-smi lists them.`,
    );
  return Number(wanted);
}
