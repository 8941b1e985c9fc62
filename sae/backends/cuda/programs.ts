/** Compiles, loads and launches kernels, in order on the compute stream. */
import type { KernelTime } from '../../ops/fusedKernels.ts';
import type { Architecture, Device } from './device.ts';
import type { Definitions } from './kernelCompiler.ts';
import { type KernelImages, sorted } from './kernelImages.ts';
import { readKernelSource, sourceFolder, type KernelSource } from './kernelSource.ts';
import { KernelTimer, type Phase } from './kernelTimes.ts';
import { NotCapturable } from './notCapturable.ts';
import { type Argument, LaunchArguments } from './launchArguments.ts';

export type { Argument } from './launchArguments.ts';

export interface KernelRequest {
  /** A file under source/. */
  readonly file: string;
  /** The `extern "C" __global__` function. */
  readonly name: string;
  /** Compile-time constants; each combination is a program of its own. */
  readonly define?: Definitions;
}

export interface Launch {
  /** Blocks. With none, nothing is computed. */
  readonly grid: number | readonly [number, number, number];
  /** Threads of a block. */
  readonly block: number | readonly [number, number, number];
  /** Dynamic shared memory. */
  readonly sharedBytes?: number;
}

interface Kernel {
  readonly handle: number;
  readonly args: LaunchArguments;
  /** Dynamic shared memory that the driver has been told of. */
  sharedBytes: number;
}

/**
 * CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES. Without it a block has 48 KiB, static arrays included, whose size only the
 * compiler knows; so it is set for whatever a launch asks for.
 */
const maxDynamicShared = 8;
const invalidImage: ReadonlySet<number> = new Set([200, 209, 218, 300, 301]);

export class Programs {
  readonly #device: Device;
  readonly #images: KernelImages;
  readonly #folder: string;
  readonly #sources = new Map<string, KernelSource>();
  readonly #modules = new Map<string, number>();
  readonly #kernels = new Map<string, Kernel>();
  /** Callers that keep their requests are spared the making of a key. */
  readonly #byRequest = new WeakMap<KernelRequest, Kernel>();
  #timer: KernelTimer | null = null;
  #phase: Phase = 'other';
  /** How many kernels have been launched. */
  launches = 0;
  /** How many modules have been loaded. */
  loads = 0;

  constructor(device: Device, images: KernelImages, folder = sourceFolder) {
    this.#device = device;
    this.#images = images;
    this.#folder = folder;
  }

  get architecture(): Architecture {
    return this.#device.architecture;
  }

  /** Launches a kernel. The arguments are checked against the signature in the .cu file. Throws `unavailable` when the device refuses or is lost. */
  run(request: KernelRequest, launch: Launch, args: readonly Argument[]): void {
    const kernel = this.#byRequest.get(request) ?? this.#find(request);
    const { grid, block, sharedBytes = 0 } = launch;
    const [gx, gy, gz] = typeof grid === 'number' ? [grid, 1, 1] : grid;
    const [bx, by, bz] = typeof block === 'number' ? [block, 1, 1] : block;
    if (gx === 0 || gy === 0 || gz === 0) return;
    kernel.args.write(args);
    if (sharedBytes > kernel.sharedBytes) this.#allowShared(request, kernel, sharedBytes);
    const { driver, stream } = this.#device;
    const start = () => {
      driver.enter();
      const code = driver.functions.cuLaunchKernel(
        kernel.handle, gx, gy, gz, bx, by, bz, sharedBytes, stream, kernel.args.address, 0,
      ); // prettier-ignore
      if (code !== 0)
        throw driver.failed(
          `cuLaunchKernel of ${request.name}, ${[gx, gy, gz].join('×')} blocks of ${[bx, by, bz].join('×')} threads and ${sharedBytes} bytes`,
          code,
        );
    };
    this.launches++;
    this.around(request.name, start);
  }

  /** The kernels that `run` launches count as this part of a training step in `timed`. */
  during<T>(phase: Phase, run: () => T): T {
    const before = this.#phase;
    this.#phase = phase;
    try {
      return run();
    } finally {
      this.#phase = before;
    }
  }

  /** For work on the stream that is no kernel of ours: products, fills and copies. */
  around(label: string, start: () => void): void {
    const before = performance.now();
    if (this.#timer) this.#timer.around(label, this.#phase, start);
    else start();
    this.#device.host.record += performance.now() - before;
  }

  /** Whether every launch is timed by itself. */
  get isTiming(): boolean {
    return this.#timer !== null;
  }

  /** The times of everything that `run` starts, the longest first. */
  async timed(run: () => Promise<void>): Promise<KernelTime[]> {
    const timer = new KernelTimer(this.#device);
    this.#timer = timer;
    try {
      await run();
    } finally {
      this.#timer = null;
    }
    return timer.finish();
  }

  #find(request: KernelRequest): Kernel {
    const { file, name, define = {} } = request;
    const program = `${file} ${JSON.stringify(sorted(define))}`;
    const key = `${name} ${program}`;
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      const source = this.#source(file);
      const parameters = source.kernels.get(name);
      if (!parameters)
        throw new Error(
          `${file} has no extern "C" __global__ void ${name}(…) that the signature parser finds.`,
        );
      let loaded = this.#modules.get(program);
      if (loaded === undefined) {
        loaded = this.#load(source, define);
        this.#modules.set(program, loaded);
      }
      const handle = this.#device.driver.read('cuModuleGetFunction', loaded, name);
      kernel = { handle, args: new LaunchArguments(name, parameters), sharedBytes: 0 };
      this.#kernels.set(key, kernel);
    }
    this.#byRequest.set(request, kernel);
    return kernel;
  }

  #source(file: string): KernelSource {
    let source = this.#sources.get(file);
    if (!source) {
      source = readKernelSource(file, this.#folder);
      this.#sources.set(file, source);
    }
    return source;
  }

  #load(source: KernelSource, define: Definitions): number {
    if (this.#device.capturing) throw new NotCapturable('a kernel had to be compiled');
    this.loads++;
    const { driver } = this.#device;
    const place = [0];
    driver.enter();
    const code = driver.functions.cuModuleLoadData(place, this.#images.image(source, define));
    if (code === 0) return Number(place[0]);
    if (!invalidImage.has(code)) throw driver.failed(`cuModuleLoadData of ${source.file}`, code);
    return driver.read('cuModuleLoadData', this.#images.image(source, define, { fresh: true }));
  }

  #allowShared(request: KernelRequest, kernel: Kernel, sharedBytes: number): void {
    const { sharedPerBlock } = this.architecture;
    if (sharedBytes > sharedPerBlock)
      throw new Error(
        `Kernel ${request.name} asks for ${sharedBytes} bytes of shared memory a block, and the device has ${sharedPerBlock}.`,
      );
    this.#device.driver.call('cuFuncSetAttribute', kernel.handle, maxDynamicShared, sharedBytes);
    kernel.sharedBytes = sharedBytes;
  }
}
