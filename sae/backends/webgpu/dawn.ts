/**
 * Dawn, the WebGPU implementation of Chromium, in the form of the npm package `webgpu` for Node. It is loaded on demand, its
 * constants are put where TF.js looks for them, and its event loop can be run from here.
 *
 * Dawn for Node notices finished work only in a callback that it hands to `setImmediate`, and hands over one at a
 * time. Code that keeps this callback can also run it, and so wait for a result inside a
 * synchronous function. This is how `dataSync` works here, which TF.js's WebGPU backend offers only where there
 * is a canvas.
 */
import { createRequire } from 'node:module';
import { LazyscopeError } from '../../errors.ts';

const require = createRequire(import.meta.url);

export interface Dawn {
  readonly gpu: GPU;
  readonly needsDriver: boolean;
  /** Classes and constants of WebGPU by name. */
  readonly classes: Readonly<Record<string, unknown>>;
  /** Blocks until `done` returns true; it is called after every poll of the device. */
  waitUntil(done: () => boolean): void;
  /** Milliseconds spent so far on waiting for devices. */
  waited(): number;
}

interface DawnPackage {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

/** Names that TF.js's WebGPU backend expects in the global scope. */
const globalNames = [
  'GPUBufferUsage',
  'GPUMapMode',
  'GPUTextureUsage',
  'GPUShaderStage',
  'GPUBuffer',
  'GPUTexture',
] as const;

/** Methods whose results arrive through the event loop. */
const waiting = {
  GPU: ['requestAdapter'],
  GPUAdapter: ['requestDevice'],
  GPUBuffer: ['mapAsync'],
  GPUDevice: ['popErrorScope', 'createComputePipelineAsync'],
  GPUQueue: ['onSubmittedWorkDone'],
} as const;

let loaded: Dawn | undefined;

/** What the process has loaded, if it has. */
export const loadedDawn = (): Dawn | undefined => loaded;

/**
 * `device: 'null'`, at the first call in a process, gives Dawn's device that needs no driver and runs nothing: what comes from it is undefined, and the time
 * that a program takes is the host's. It is for benchmarks. Throws `unavailable` where the package is missing or its binary does not load.
 */
export async function loadDawn({ device }: { device?: 'null' } = {}): Promise<Dawn> {
  if (loaded) return loaded;
  let dawn: DawnPackage;
  try {
    // The package's entry is an ES module. It is resolved at run time because the package is optional and may be missing when compiling.
    dawn = (await import(require.resolve('webgpu'))) as DawnPackage;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND';
    throw new LazyscopeError(
      'unavailable',
      missing
        ? 'Backend webgpu needs the npm package webgpu, which is optional and not installed: run npm install webgpu.'
        : `The npm package webgpu has no binary that loads on ${process.platform}-${process.arch}: use another backend.`,
      { cause },
    );
  }
  for (const name of globalNames) Object.assign(globalThis, { [name]: dawn.globals[name] });
  const events = new DeviceEvents();
  for (const [type, methods] of Object.entries(waiting)) events.watch(dawn.globals[type], methods);
  // Browsers round timestamps to 0.1 ms against timing attacks; here exact kernel times are wanted. On NVIDIA's GPUs, Dawn offers 16-bit
  // numbers only where they are asked for, because their results in some of WebGPU's conformance tests differ; those of ours are compared by tests.
  // "Unsafe" are features that are still experiments, of which kernels/matrixProduct.ts uses one.
  const gpu = dawn.create([
    ...(device ? [`backend=${device}`] : []),
    'enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis',
    'disable-dawn-features=timestamp_quantization',
  ]);
  loaded = {
    gpu,
    needsDriver: device !== 'null',
    classes: dawn.globals,
    waitUntil: (done) => events.waitUntil(done),
    waited: () => events.waited,
  };
  return loaded;
}

type Callback = () => void;

class DeviceEvents {
  #next: Callback | null = null;
  readonly #clock = new Int32Array(new SharedArrayBuffer(4));
  /** Polls since the device was last given work. */
  #looks = 0;
  waited = 0;

  /** Wraps methods of a class such that the callbacks they schedule are kept here. */
  watch(type: unknown, methods: readonly string[]): void {
    const { prototype } = type as { prototype: Record<string, (...args: unknown[]) => unknown> };
    const { capture } = this;
    const begin = () => void (this.#looks = 0);
    for (const name of methods) {
      const method = prototype[name];
      prototype[name] = function (...args: unknown[]) {
        begin();
        return capture(() => method.apply(this, args));
      };
    }
  }

  waitUntil(done: () => boolean): void {
    while (!done()) {
      if (!this.#next) throw new Error('Waiting for a device that has nothing to tell.');
      this.#look(this.#next);
    }
  }

  /** Runs `call`, and keeps the callbacks that it passes to setImmediate. */
  capture = <T>(call: () => T): T => {
    const { setImmediate } = globalThis;
    const keep = (callback: Callback) => {
      this.#next = callback;
      return setImmediate(() => {
        if (this.#next === callback) this.#look(callback);
      });
    };
    globalThis.setImmediate = keep as typeof setImmediate;
    try {
      return call();
    } finally {
      globalThis.setImmediate = setImmediate;
    }
  };

  /** Polls the device, and sleeps between polls after the first few: a software driver needs the cores that polling would keep busy. */
  #look(callback: Callback): void {
    const before = performance.now();
    if (this.#looks++ > 20) Atomics.wait(this.#clock, 0, 0, 0.05);
    this.#next = null;
    this.capture(callback);
    this.waited += performance.now() - before;
  }
}
