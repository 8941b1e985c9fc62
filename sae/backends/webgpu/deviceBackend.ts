/**
 * The TF.js backend for `webgpu`: TF.js's own WebGPU backend, extended by `dataSync`, by clear errors, and by a way
 * to run custom kernels in order with those of TF.js, on the same buffers.
 */
import { isLazyscopeError } from '../../errors.ts';
import { tf, type Tensor, type Tf } from '../../tensor/tf.ts';
import { BindGroups } from './bindGroups.ts';
import { BufferPool } from './bufferPool.ts';
import type { Adapter } from './adapter.ts';
import { DeviceFaults } from './deviceFaults.ts';
import type { HostTimes, KernelTime } from '../../ops/fusedKernels.ts';
import { KernelTimer } from './kernelTimes.ts';
import { StagingRing } from './stagingRing.ts';
import {
  type DataId,
  type HostValues,
  type TensorData,
  tfjsClass,
  type TfjsWebGpuBackend,
} from './tfjsBackend.ts';
import { TfjsDispatches, type TfjsProgram, type TfjsUniform, type TfjsUniforms } from './tfjsDispatches.ts';

export interface DeviceBackend extends TfjsWebGpuBackend {
  /** The groups of bindings of TF.js's kernels and of ours. */
  readonly bindGroups: BindGroups;
  /** The tensor's memory on the device; uploads what is only on the host. */
  bufferOf(tensor: Tf.TensorInfo): GPUBuffer;
  /** Keeps tensors alive until the commands recorded so far have been submitted. */
  hold(tensors: readonly Tf.TensorInfo[]): void;
  /** A tensor with undefined contents, disposed with the surrounding tidy. */
  scratch(shape: readonly number[], dtype: 'float32' | 'int32'): Tensor;
  /**
   * Memory of `words` numbers of 4 bytes for what the device can do without, outside of every tidy; `disposeData` releases it. Throws `unavailable` where there is no
   * memory for it, and the device is then as it was.
   */
  setAside(words: number): Tf.TensorInfo;
  /** Copies an array's bytes to byte `at` of a tensor's memory, in the order of commands. Both are multiples of 4. */
  upload(values: ArrayBufferView, to: Tf.TensorInfo, at: number): void;
  /** Room for the workgroups of some dispatches, int32 [dispatches, 3], with undefined contents: see `DecidedGroups`. */
  groupCounts(dispatches: number): Tensor;
  /** Fills a tensor with zeros, in the order of commands. */
  clear(tensor: Tf.TensorInfo): void;
  /** Copies 4-byte elements from the start of `from` to `to`, in the order of commands. */
  copyInto(from: Tf.TensorInfo, to: Tf.TensorInfo, offset: number, count: number): void;
  /** Must be called when a tensor's contents were changed in place. */
  changed(tensor: Tf.TensorInfo): void;
  /** Calls `listener` for every tensor whose contents change in place, and for every tensor whose memory is released. */
  onChange(listener: (dataId: DataId) => void): void;
  /** Records one dispatch; `long` says that it keeps a device busy for long enough that it should start before more is recorded. */
  record(label: string, encode: (pass: GPUComputePassEncoder) => void, long: boolean): void;
  /** Submits what is recorded, so that the device computes while the host goes on. */
  flush(): void;
  /**
   * Makes all later float kernels run on the device. TF.js computes small tensors that are still on the host there, with
   * other rounding than the device's, and a resumed run would not reach the same bits.
   */
  stayOnDevice(): void;
  /** Waits until the device has done all submitted work, and closes it. */
  close(): void;
  /** The times of the kernels that `run` starts, TF.js's too; null where the device has no timestamps. */
  timed(run: () => Promise<void>): Promise<KernelTime[] | null>;
  /** What the host has spent on the device so far. */
  hostTimes(): HostTimes;
  /** Counts the time of `run` as that of `part`. */
  spending<T>(part: 'upload' | 'record' | 'submit', run: () => T): T;
  /** Throws `unavailable` if the device has reported an error or is gone. */
  check(): void;
  /** Reads several tensors in one transfer, which has been queued when this returns. */
  readTogether(tensors: readonly Tensor[]): Promise<HostValues[]>;
}

/**
 * Dispatches that are submitted together where they take long, once results have been read and the device may have nothing to do. Each later submission holds twice as many,
 * while the device is busy with the one before, up to as many as TF.js submits together.
 */
const firstLong = 4;
/** Bytes up to which a tensor is copied by the queue itself. */
const smallUpload = 2 ** 16;

/**
 * Creates the backend. Its `readSync` does without the canvas that TF.js's needs. Throws `unavailable` when the TF.js package is missing.
 */
export function createDeviceBackend({ dawn, gpu, description }: Adapter, device: GPUDevice): DeviceBackend {
  const Base = tfjsClass();
  const faults = new DeviceFaults(device, description);

  class Backend extends Base implements DeviceBackend {
    #timer: KernelTimer | null = null;
    #onDevice = false;
    readonly bindGroups: BindGroups;
    readonly #dispatches: TfjsDispatches;
    #long = firstLong;
    readonly #most = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
    readonly #spent = { upload: 0, record: 0, submit: 0 };
    readonly #listeners: ((dataId: DataId) => void)[] = [];
    /** The last of some commands writes to it, so that it can be mapped when they are done. */
    readonly #fence = device.createBuffer({
      size: 4,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    readonly #staging = new StagingRing(device, {
      copy: (from, to, at, bytes) => this.#encoder().copyBufferToBuffer(from, 0, to, at, bytes),
      submit: () => this.flush(),
      waitUntil: (done) => dawn.waitUntil(done),
      check: () => this.check(),
    });

    constructor() {
      super(device, gpu.info);
      this.bufferManager = new BufferPool(device, faults, description, () => this.#settle());
      this.bindGroups = new BindGroups(this.bufferManager);
      this.#dispatches = new TfjsDispatches(device, this.bindGroups);
    }

    override makeUniforms(values: readonly TfjsUniform[]): TfjsUniforms {
      const make = () => {
        const made = super.makeUniforms(values);
        this.uniformPendingDisposal.pop();
        return made;
      };
      return this.#dispatches.uniforms(values, make, (buffers) => {
        this.flush();
        for (const buffer of buffers) this.bufferManager.releaseBuffer(buffer);
      });
    }

    check(): void {
      faults.check();
    }

    hostTimes(): HostTimes {
      return { ...this.#spent, waiting: dawn.waited() };
    }

    spending<T>(part: 'upload' | 'record' | 'submit', run: () => T): T {
      const before = performance.now();
      try {
        return run();
      } finally {
        this.#spent[part] += performance.now() - before;
      }
    }

    stayOnDevice(): void {
      this.#onDevice = true;
    }

    override shouldExecuteOnCPU(inputs: readonly Tf.TensorInfo[], sizeThreshold?: number): boolean {
      if (this.#onDevice && inputs.some(({ dtype }) => dtype === 'float32')) return false;
      return super.shouldExecuteOnCPU(inputs, sizeThreshold);
    }

    /** Submits what is recorded, and waits until the device has done it. */
    #settle(): void {
      this.#encoder().clearBuffer(this.#fence);
      this.submitQueue();
      this.#fence.mapAsync(GPUMapMode.READ).catch(() => {});
      dawn.waitUntil(() => this.#fence.mapState !== 'pending');
      this.check();
      this.#fence.unmap();
    }

    close(): void {
      faults.close();
      try {
        this.#settle();
      } catch (error) {
        // A lost device has no work left, and its error has been thrown where it was used.
        if (!isLazyscopeError(error)) throw error;
      }
      device.destroy();
    }

    bufferOf(tensor: Tf.TensorInfo): GPUBuffer {
      const data = this.tensorMap.get(tensor.dataId);
      if (!data.resource) this.uploadToGPU(tensor.dataId);
      const { resource } = data;
      if (!resource) throw new Error('A tensor without memory on the device.');
      return resource;
    }

    hold(tensors: readonly Tf.TensorInfo[]): void {
      for (const { dataId } of tensors) this.commandQueueOwnedIds.add(dataId);
    }

    scratch(shape: readonly number[], dtype: 'float32' | 'int32'): Tensor {
      const dataId = this.write(null as never, [...shape], dtype);
      return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype });
    }

    setAside(words: number): Tf.TensorInfo {
      const buffer = this.bufferManager.setAside(4 * words, tensorUsage());
      const dataId = this.write(null as never, [words], 'int32');
      this.tensorMap.get(dataId).resource = buffer;
      return { dataId, shape: [words], dtype: 'int32' };
    }

    upload(values: ArrayBufferView, to: Tf.TensorInfo, at: number): void {
      const buffer = this.bufferOf(to);
      this.spending('upload', () => this.#staging.upload(values, buffer, at));
      this.hold([to]);
      this.changed(to);
    }

    groupCounts(dispatches: number): Tensor {
      const tensor = this.scratch([dispatches, 3], 'int32');
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.INDIRECT;
      this.tensorMap.get(tensor.dataId).resource = this.bufferManager.acquireBuffer(12 * dispatches, usage);
      return tensor;
    }

    clear(tensor: Tf.TensorInfo): void {
      const buffer = this.bufferOf(tensor);
      this.hold([tensor]);
      this.changed(tensor);
      this.#encoder().clearBuffer(buffer);
    }

    copyInto(from: Tf.TensorInfo, to: Tf.TensorInfo, offset: number, count: number): void {
      const [source, target] = [this.bufferOf(from), this.bufferOf(to)];
      this.hold([from, to]);
      this.changed(to);
      this.#encoder().copyBufferToBuffer(source, 0, target, offset * 4, count * 4);
    }

    changed({ dataId }: Tf.TensorInfo): void {
      this.#tell(dataId);
    }

    #tell(dataId: DataId): void {
      for (const listener of this.#listeners) listener(dataId);
    }

    onChange(listener: (dataId: DataId) => void): void {
      this.#listeners.push(listener);
    }

    override disposeData(dataId: DataId, force?: boolean): boolean {
      const gone = super.disposeData(dataId, force);
      if (gone) this.#tell(dataId);
      return gone;
    }

    record(label: string, encode: (pass: GPUComputePassEncoder) => void, long: boolean): void {
      if (this.#timer) {
        const pass = this.#encoder().beginComputePass(this.#timer.pass(label));
        encode(pass);
        pass.end();
        return;
      }
      this.ensureCommandEncoderReady();
      this.computePassEncoder ??= this.commandEncoder?.beginComputePass() ?? null;
      if (this.computePassEncoder) encode(this.computePassEncoder);
      const enough = long ? Math.min(this.#long, this.#most) : this.#most;
      if (++this.dispatchCountInPass < enough) return;
      this.#long = 2 * enough;
      this.flush();
    }

    flush(): void {
      if (!this.commandEncoder) return;
      this.endComputePassEncoder();
      this.submitQueue();
    }

    /** TF.js's makes new memory of the host for every tensor, and fills it with zeros first. */
    override uploadToGPU(dataId: DataId): void {
      const data = this.tensorMap.get(dataId);
      if (data.resource || !data.values || !['float32', 'int32', 'bool'].includes(data.dtype)) {
        super.uploadToGPU(dataId);
        return;
      }
      const numbers = numbersOf(data.dtype, data.values);
      const buffer = this.bufferManager.acquireBuffer(numbers.byteLength, tensorUsage());
      // The queue's own copy is done before what is recorded here, none of which can refer to memory that the pool has just given.
      this.spending('upload', () => {
        if (numbers.byteLength <= smallUpload) this.queue.writeBuffer(buffer, 0, numbers.slice());
        else this.#staging.upload(numbers, buffer);
      });
      data.values = null;
      data.resource = buffer;
    }

    /** TF.js's kernels begin a pass of their own where none is open. */
    override recordAndSubmit(program: TfjsProgram, ...rest: unknown[]): void {
      this.#dispatches.recording(program, () => {
        if (!this.#timer) {
          super.recordAndSubmit(program, ...rest);
          return;
        }
        const label = program.constructor.name.replace(/Program$/, '');
        this.computePassEncoder = this.#encoder().beginComputePass(this.#timer.pass(label));
        super.recordAndSubmit(program, ...rest);
        this.endComputePassEncoder();
      });
    }

    async timed(run: () => Promise<void>): Promise<KernelTime[] | null> {
      if (!device.features.has('timestamp-query')) return null;
      const timer = new KernelTimer(device);
      this.#timer = timer;
      try {
        await run();
      } finally {
        this.#timer = null;
      }
      this.flush();
      return timer.finish();
    }

    /** The command encoder, for commands outside of compute passes. */
    #encoder(): GPUCommandEncoder {
      this.endComputePassEncoder();
      this.ensureCommandEncoderReady();
      return this.commandEncoder as GPUCommandEncoder;
    }

    override submitQueue(): void {
      this.spending('submit', () => {
        super.submitQueue();
        this.#staging.submitted();
        this.bufferManager.trim();
      });
    }

    override readSync(dataId: DataId): HostValues {
      const data = this.tensorMap.get(dataId);
      if (data.values !== null && data.values !== undefined) return data.values.slice();
      if (!data.resource) return typed(data.dtype, new ArrayBuffer(0));
      const staging = this.#copyOut([data.resource]);
      // A rejection is not handled here, because check() reports its cause.
      staging.mapAsync(GPUMapMode.READ).catch(() => {});
      dawn.waitUntil(() => staging.mapState !== 'pending');
      return this.#take(staging, [data])[0];
    }

    override async read(dataId: DataId): Promise<HostValues> {
      const data = this.tensorMap.get(dataId);
      if (data.values !== null && data.values !== undefined) return data.values.slice();
      const [values] = await this.#readAll([data]);
      return values;
    }

    readTogether(tensors: readonly Tensor[]): Promise<HostValues[]> {
      for (const { dataId } of tensors) this.uploadToGPU(dataId);
      return this.#readAll(tensors.map(({ dataId }) => ({ ...this.tensorMap.get(dataId) })));
    }

    async #readAll(data: readonly TensorData[]): Promise<HostValues[]> {
      const staging = this.#copyOut(data.flatMap(({ resource }) => resource ?? []));
      await staging.mapAsync(GPUMapMode.READ).catch(() => {});
      return this.#take(staging, data);
    }

    /** Copies buffers into one that can be mapped, after all commands recorded so far. */
    #copyOut(buffers: readonly GPUBuffer[]): GPUBuffer {
      const total = buffers.reduce((sum, { size }) => sum + size, 0);
      // Sizes are rounded up to powers of 2, so that staging buffers can be reused.
      const size = 2 ** Math.ceil(Math.log2(Math.max(256, total)));
      const staging = this.bufferManager.acquireBuffer(
        size,
        GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      );
      const encoder = this.#encoder();
      let at = 0;
      for (const buffer of buffers) {
        encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
        at += buffer.size;
      }
      this.submitQueue();
      return staging;
    }

    #take(staging: GPUBuffer, data: readonly TensorData[]): HostValues[] {
      this.check();
      this.#long = firstLong;
      if (staging.mapState !== 'mapped') throw faults.lost('a result could not be read');
      const mapped = staging.getMappedRange();
      let at = 0;
      const values = data.map(({ dtype, shape, resource }) => {
        const bytes = mapped.slice(at, at + 4 * tf.util.sizeFromShape(shape));
        at += resource?.size ?? 0;
        return typed(dtype, bytes);
      });
      staging.unmap();
      this.bufferManager.releaseBuffer(staging);
      return values;
    }
  }

  return withNavigator(dawn.gpu, () => new Backend());
}

/** As TF.js makes the memory of tensors. */
const tensorUsage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** Sets the global `navigator` while TF.js's constructor, which checks it for WebGPU, runs. */
function withNavigator<T>(gpu: GPU, make: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  try {
    return make();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
}

/** Four bytes each, as on the device. */
function numbersOf(dtype: string, values: HostValues): Float32Array | Int32Array {
  const Numbers = dtype === 'float32' ? Float32Array : Int32Array;
  return values instanceof Numbers ? values : Numbers.from(values);
}

function typed(dtype: string, bytes: ArrayBuffer): HostValues {
  if (dtype === 'float32') return new Float32Array(bytes);
  const integers = new Int32Array(bytes);
  return dtype === 'bool' ? Uint8Array.from(integers) : integers;
}
