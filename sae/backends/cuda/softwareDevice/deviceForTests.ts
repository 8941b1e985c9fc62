/** The software device with kernels given as text, for tests of the device itself. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { describeDevice, Device } from '../device.ts';
import type { DeviceBuffer } from '../deviceMemory.ts';
import { Driver } from '../driver.ts';
import { KernelImages } from '../kernelImages.ts';
import { type Argument, type Launch, Programs } from '../programs.ts';
import { softwareDevice } from './softwareDevice.ts';

export interface DeviceForTests {
  readonly driver: Driver;
  readonly device: Device;
  readonly programs: Programs;
  readonly library: ReturnType<typeof koffi.load>;
  /** Memory on the device that holds these values. */
  upload(values: Float32Array | Int32Array): DeviceBuffer;
  allocate(bytes: number): DeviceBuffer;
  floats(buffer: DeviceBuffer): number[];
  integers(buffer: DeviceBuffer): number[];
  run(name: string, launch: Launch, args: readonly Argument[]): void;
}

/** Opens it afresh: what an earlier one in this process left, its failure too, is gone. */
export async function deviceForTests(kernels: string): Promise<DeviceForTests> {
  const folder = mkdtempSync(join(tmpdir(), 'lazyscope-kernels-'));
  const file = 'test.cu';
  writeFileSync(join(folder, file), kernels);
  const { library: path, compiler } = await softwareDevice();
  const library = koffi.load(path);
  library.func('cuDevicePrimaryCtxReset_v2', 'int', ['int'])(0);
  const driver = new Driver(library);
  const device = new Device(driver, 0, describeDevice(driver, 0, true));
  const programs = new Programs(device, new KernelImages(compiler, folder), folder);
  const allocate = (bytes: number): DeviceBuffer => ({
    address: BigInt(driver.read('cuMemAlloc', bytes)),
    bytes,
  });
  // Without pinned memory a copy is complete when its call returns.
  const download = <T extends Float32Array | Int32Array>(from: DeviceBuffer, to: T): T => {
    driver.call(
      'cuMemcpyDtoHAsync',
      Number(koffi.address(to.buffer)),
      Number(from.address),
      from.bytes,
      device.stream,
    );
    return to;
  };
  return {
    driver,
    device,
    programs,
    library,
    allocate,
    upload(values) {
      const buffer = allocate(values.byteLength);
      const address = Number(koffi.address(values.buffer)) + values.byteOffset;
      driver.call('cuMemcpyHtoDAsync', Number(buffer.address), address, values.byteLength, device.stream);
      return buffer;
    },
    floats: (buffer) => [...download(buffer, new Float32Array(buffer.bytes / 4))],
    integers: (buffer) => [...download(buffer, new Int32Array(buffer.bytes / 4))],
    run: (name, launch, args) => programs.run({ file, name }, launch, args),
  };
}
