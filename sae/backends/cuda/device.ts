/** One GPU: its context, its properties and the stream on which everything runs in order. */
import { LazyscopeError } from '../../errors.ts';
import type { Driver } from './driver.ts';
import { NotCapturable } from './notCapturable.ts';

/** What kernels may ask about the device. */
export interface Architecture {
  /** Compute capability. */
  readonly major: number;
  readonly minor: number;
  readonly multiprocessors: number;
  /** The most shared memory that a block may ask for, in bytes. */
  readonly sharedPerBlock: number;
  readonly l2Bytes: number;
  /** Whether it is the software device, which computes on the processor. */
  readonly software: boolean;
}

/** CUdevice_attribute of the driver API. */
const attribute = {
  multiprocessors: 16,
  l2Bytes: 38,
  major: 75,
  minor: 76,
  sharedPerBlock: 97,
} as const;

const streamNonBlocking = 1;
const eventWithoutTiming = 2;
/** Older ones have no bf16. */
const oldestArchitecture = 8;

export interface DeviceDescription {
  readonly name: string;
  readonly totalBytes: number;
  readonly architecture: Architecture;
}

/** The devices that the driver offers. */
export function deviceCount(driver: Driver): number {
  return driver.read('cuDeviceGetCount');
}

/** Asks the driver about a device without opening it. Throws `unavailable` when there is none of that number, or it is too old. */
export function describeDevice(driver: Driver, index: number, software: boolean): DeviceDescription {
  const count = deviceCount(driver);
  if (index >= count)
    throw new LazyscopeError(
      'unavailable',
      count === 0
        ? 'Backend cuda finds a driver but no GPU: look at nvidia-smi, or choose --backend native.'
        : `There is no GPU ${index}, only ${count === 1 ? 'GPU 0' : `GPUs 0 to ${count - 1}`}: name one of them with LAZYSCOPE_CUDA_DEVICE or --devices.`,
    );
  const device = driver.read('cuDeviceGet', index);
  const text = Buffer.alloc(256);
  driver.call('cuDeviceGetName', text, text.length, device);
  const name = text.toString('utf8', 0, text.indexOf(0));
  const ask = (which: number) => driver.read('cuDeviceGetAttribute', which, device);
  const architecture: Architecture = {
    major: ask(attribute.major),
    minor: ask(attribute.minor),
    multiprocessors: ask(attribute.multiprocessors),
    sharedPerBlock: ask(attribute.sharedPerBlock),
    l2Bytes: ask(attribute.l2Bytes),
    software,
  };
  if (architecture.major < oldestArchitecture)
    throw new LazyscopeError(
      'unavailable',
      `Backend cuda needs compute capability 8.0 or later, and ${name} has ${architecture.major}.${architecture.minor}: choose --backend webgpu.`,
    );
  return { name, totalBytes: driver.read('cuDeviceTotalMem', device), architecture };
}

export class Device {
  readonly driver: Driver;
  readonly name: string;
  readonly totalBytes: number;
  readonly architecture: Architecture;
  /** Its number, as nvidia-smi counts. */
  readonly index: number;
  /** The compute stream. */
  readonly stream: number;
  /** Milliseconds that the host has spent waiting for results, filling pinned memory, and launching. */
  readonly host = { waiting: 0, upload: 0, record: 0 };
  /** While the compute stream captures a graph: leaves a call out of it, to be made at every launch in its place. */
  capturing: ((call: () => void) => void) | null = null;
  /** Called again and again while the host waits for results; throws where they will never come. */
  whileWaiting: (() => void) | null = null;
  /** Whether buffers get exactly the memory that they ask for, so that an access past the end leaves all memory. */
  readonly exactMemory: boolean;

  /** Makes the device's primary context the current one, which is also the one that cuBLASLt uses. */
  constructor(
    driver: Driver,
    index: number,
    { name, totalBytes, architecture }: DeviceDescription,
    { exactMemory = false } = {},
  ) {
    this.exactMemory = exactMemory;
    this.index = index;
    this.driver = driver;
    driver.gpu = name;
    this.name = name;
    this.totalBytes = totalBytes;
    this.architecture = architecture;
    const device = driver.read('cuDeviceGet', index);
    driver.adopt(driver.read('cuDevicePrimaryCtxRetain', device));
    this.stream = this.newStream();
  }

  /** Its 16 bytes are those of no other device. */
  uuid(): Uint8Array {
    const uuid = new Uint8Array(16);
    this.driver.call('cuDeviceGetUuid', uuid, this.driver.read('cuDeviceGet', this.index));
    return uuid;
  }

  newStream(): number {
    return this.driver.read('cuStreamCreate', streamNonBlocking);
  }

  newEvent({ timing }: { timing: boolean }): number {
    return this.driver.read('cuEventCreate', timing ? 0 : eventWithoutTiming);
  }

  /** Makes a call that may be part of no graph: at once, or while one is captured at every launch of it. */
  outsideOfGraphs(call: () => void): void {
    if (this.capturing) this.capturing(call);
    else call();
  }

  /** Waits until the device has done everything that was asked of it. */
  synchronize(): void {
    if (this.capturing) throw new NotCapturable('it waited for the device in its middle');
    const before = performance.now();
    this.driver.call('cuStreamSynchronize', this.stream);
    this.host.waiting += performance.now() - before;
  }
}
