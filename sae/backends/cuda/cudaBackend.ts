/**
 * The TF.js backend behind `cuda`: TF.js's CPU backend for bookkeeping, with tensors on the device. A tensor's data is on the
 * host, on the device, or on both. TF.js's own CPU kernels find it under `values`, which fetches it from the device, so that
 * every kernel works; those that matter are ours.
 */
import { createRequire } from 'node:module';
import type * as Cpu from '@tensorflow/tfjs-backend-cpu';
import { tf, type Tensor, type Tf } from '../../tensor/tf.ts';
import type { KernelTime } from '../../ops/fusedKernels.ts';
import type { ProductFormat } from '../backend.ts';
import type { StoredType } from '../kernelInputs.ts';
import type { Device } from './device.ts';
import type { Screening } from './screening.ts';
import { type DeviceBuffer, DeviceMemory } from './deviceMemory.ts';
import type { Nccl } from './nccl.ts';
import type { Products } from './products.ts';
import type { Programs } from './programs.ts';
import type { Recording } from './recording.ts';
import type { StoredNumbers } from './storedNumbers.ts';
import { Transfers } from './transfers.ts';

const require = createRequire(import.meta.url);
const cpu = require('@tensorflow/tfjs-backend-cpu') as typeof Cpu;

type CpuBackend = InstanceType<typeof cpu.MathBackendCPU>;
type DataId = Tf.TensorInfo['dataId'];
type DType = Tf.DataType;
type TfjsValues = Tf.BackendValues;
export type HostValues = Float32Array | Int32Array | Uint8Array;

/** Where a tensor's numbers are. It has the members that TF.js's CPU kernels use of its own records. */
class TensorData {
  readonly dtype: DType;
  refCount: number;
  complexTensorInfos?: { real: Tf.TensorInfo; imag: Tf.TensorInfo };
  /** Numbers in the format of their file, until a kernel that does not know of it needs them as floats. */
  stored: StoredNumbers | null = null;
  #device: DeviceBuffer | null = null;
  #host: TfjsValues | null;
  readonly #size: number;
  readonly #owner: CudaBackend;

  constructor(owner: CudaBackend, dtype: DType, size: number, values: TfjsValues | null, refCount: number) {
    this.#owner = owner;
    this.dtype = dtype;
    this.refCount = refCount;
    this.#size = size;
    this.#host = values ?? null;
  }

  get size(): number {
    return this.#size;
  }

  /** Memory of the device. */
  get device(): DeviceBuffer | null {
    if (this.stored) {
      this.#device = this.stored.widened();
      this.stored.release();
      this.stored = null;
    }
    return this.#device;
  }

  set device(buffer: DeviceBuffer | null) {
    this.stored?.release();
    this.stored = null;
    this.#device = buffer;
  }

  /** What `device` would be, without widening what is stored otherwise. */
  get memory(): DeviceBuffer | null {
    return this.#device;
  }

  /** What is on the host already. */
  get host(): TfjsValues | null {
    return this.#host;
  }

  /** Fetched from the device and kept, for a kernel that computes on the host. */
  get values(): TfjsValues | null {
    if (this.#host === null && this.device) {
      this.#owner.hostReads++;
      this.#host = this.#owner.fetch(this);
    }
    return this.#host;
  }

  set values(values: TfjsValues | null) {
    this.#host = values ?? null;
    this.#owner.drop(this);
  }

  forgetHost(): void {
    this.#host = null;
  }

  /** How often the contents were changed in place. */
  version = 0;
}

/** Bytes of an element in memory. */
const elementBytes: Readonly<Record<StoredType, number>> = { float32: 4, int32: 4, bool: 1 };

export class CudaBackend extends cpu.MathBackendCPU {
  /** How fused kernels keep what a training step reads many times; parameters and moments stay in f32. */
  storage: 'f32' | 'bf16' = 'f32';
  /** How TF.js's products are computed. */
  productType: ProductFormat = 'f32';
  /** Whether encoders find candidates by a product in bfloat16 first; a table of fused kernels may have been given an answer of its own. */
  screening: Screening = 'whereItPays';
  /** Whether training steps are captured as graphs; see stepRecorder.ts. */
  graphs = true;
  readonly device: Device;
  readonly programs: Programs;
  readonly products: Products;
  readonly memoryPool: DeviceMemory;
  readonly transfers: Transfers;
  /** How often a kernel that computes on the host has fetched a tensor from the device. */
  hostReads = 0;
  /** The step that is being recorded. */
  recording: Recording | null = null;

  /** What devices of several processes send each other by. Throws `unavailable`, with what to install, where it is not found. */
  readonly nccl: () => Nccl;

  constructor(device: Device, programs: Programs, products: Products, nccl: () => Nccl) {
    super();
    this.nccl = nccl;
    this.device = device;
    this.programs = programs;
    this.products = products;
    this.memoryPool = new DeviceMemory(device);
    this.transfers = new Transfers(device, this.memoryPool);
    // TF.js's CPU backend prints an advertisement at its first write.
    Object.assign(this, { firstUse: false });
  }

  override write(values: TfjsValues, shape: number[], dtype: DType): DataId {
    const dataId = super.write(values, shape, dtype);
    this.data.set(dataId, this.#record(values, shape, dtype, 1));
    this.recording?.made(dataId);
    return dataId;
  }

  override move(dataId: DataId, values: TfjsValues, shape: number[], dtype: DType, refCount: number): void {
    this.data.set(dataId, this.#record(values, shape, dtype, refCount));
  }

  #record(values: TfjsValues | null, shape: readonly number[], dtype: DType, refCount: number): never {
    // TF.js declares records as plain objects; TensorData has all of their members.
    return new TensorData(this, dtype, tf.util.sizeFromShape([...shape]), values, refCount) as never;
  }

  #data(dataId: DataId): TensorData {
    return this.data.get(dataId) as unknown as TensorData;
  }

  /** The tensor's memory on the device; uploads what is only on the host. Throws `unavailable` when there is no room. */
  buffer(tensor: Tf.TensorInfo): DeviceBuffer {
    const data = this.#data(tensor.dataId);
    if (data.device) {
      this.recording?.used(tensor.dataId, data.device);
      return data.device;
    }
    this.recording?.checkUpload(tensor.dataId);
    const type = storedType(data.dtype);
    const values = typedValues(type, data.host ?? []);
    if (values.length !== data.size)
      throw new Error(`A tensor of ${data.size} elements has ${values.length} values.`);
    data.device = this.transfers.uploaded(values);
    data.forgetHost();
    return data.device;
  }

  /** A tensor's numbers where the host has them, which it does until they are first needed on the device; otherwise null. */
  onHost({ dataId, dtype }: Tf.TensorInfo): HostValues | null {
    const { host } = this.#data(dataId);
    return host ? typedValues(storedType(dtype), host) : null;
  }

  /** A tensor with undefined contents. bool is one byte an element. */
  output(shape: readonly number[], dtype: StoredType): { info: Tf.TensorInfo; buffer: DeviceBuffer } {
    let size = 1;
    for (const n of shape) size *= n;
    const info = this.makeTensorInfo([...shape], dtype);
    const buffer = this.memoryPool.take(size * elementBytes[dtype]);
    this.#data(info.dataId).device = buffer;
    return { info, buffer };
  }

  /** A float32 tensor whose numbers stay as they are in `weights` for kernels that ask for `stored`; for others they are widened at first use. */
  storedTensor(shape: readonly number[], weights: StoredNumbers): Tf.TensorInfo {
    const info = this.makeTensorInfo([...shape], 'float32');
    this.#data(info.dataId).stored = weights;
    return info;
  }

  /** Where a tensor is on the device; null where it isn't, or is no more. */
  addressOf(dataId: DataId): number | null {
    const memory = this.data.has(dataId) ? this.#data(dataId).memory : null;
    return memory && Number(memory.address);
  }

  /** Undefined for a tensor of plain numbers. */
  stored({ dataId }: Tf.TensorInfo): StoredNumbers | undefined {
    return this.#data(dataId).stored ?? undefined;
  }

  /** Memory with undefined contents. It may be given back as soon as the kernels that use it have been launched. */
  scratch(bytes: number): DeviceBuffer {
    return this.memoryPool.take(bytes);
  }

  /** Gives memory of `scratch` back. */
  give(buffer: DeviceBuffer): void {
    this.memoryPool.give(buffer);
  }

  /** Must be called when a tensor's contents were changed in place on the device. */
  changed(tensor: Tf.TensorInfo): void {
    const data = this.#data(tensor.dataId);
    data.forgetHost();
    data.version++;
  }

  /** What the host knows of a tensor's contents is no longer so. Answers whether there is such a tensor. */
  forgetHost(dataId: DataId): boolean {
    if (!this.data.has(dataId)) return false;
    const data = this.#data(dataId);
    if (data.memory) data.forgetHost();
    return true;
  }

  /** How often a tensor's contents were changed in place; null where there is no such tensor any more. */
  version(dataId: DataId): number | null {
    return this.data.has(dataId) ? this.#data(dataId).version : null;
  }

  /** Sets `count` words of 4 bytes. */
  fill(buffer: DeviceBuffer, word: number, count: number): void {
    if (count === 0) return;
    const { driver, stream } = this.device;
    this.programs.around('fill', () =>
      driver.call('cuMemsetD32Async', Number(buffer.address), word >>> 0, count, stream),
    );
  }

  /** Copies on the device; offsets in bytes. */
  copy(from: DeviceBuffer, to: DeviceBuffer, bytes: number, fromOffset = 0, toOffset = 0): void {
    if (bytes === 0) return;
    const { driver, stream } = this.device;
    const [source, target] = [Number(from.address) + fromOffset, Number(to.address) + toOffset];
    this.programs.around('copy', () => driver.call('cuMemcpyDtoDAsync', target, source, bytes, stream));
  }

  /** Reads several tensors at once. The copies have been queued when this returns. */
  async readTogether(tensors: readonly Tensor[]): Promise<HostValues[]> {
    const results = tensors.map(({ dataId, dtype, size }) => {
      const data = this.#data(dataId);
      if (data.device) return { from: data.device, target: emptyValues(storedType(dtype), size) };
      return { from: null, target: typedValues(storedType(dtype), data.host ?? []).slice() };
    });
    await this.transfers.downloadTogether(
      results.flatMap(({ from, target }) => (from ? [{ from, target }] : [])),
    );
    return results.map(({ target }) => target);
  }

  /** What the device's memory of a tensor holds, in an array of its own. */
  fetch({ dtype, size, device }: Pick<TensorData, 'dtype' | 'size' | 'device'>): HostValues {
    const values = emptyValues(storedType(dtype), size);
    if (device) this.transfers.download(device, values);
    return values;
  }

  /** Gives the device's memory of a tensor back. */
  drop(data: TensorData): void {
    if (data.memory) this.memoryPool.give(data.memory);
    data.device = null;
  }

  override readSync(dataId: DataId): ReturnType<CpuBackend['readSync']> {
    const data = this.#data(dataId);
    return data.device ? this.fetch(data) : super.readSync(dataId);
  }

  override async read(dataId: DataId): Promise<TfjsValues> {
    const data = this.#data(dataId);
    if (!data.device) return this.readSync(dataId);
    const target = emptyValues(storedType(data.dtype), data.size);
    await this.transfers.downloadTogether([{ from: data.device, target }]);
    return target;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const data = this.data.has(dataId) ? this.#data(dataId) : undefined;
    const gone = super.disposeData(dataId, force);
    if (gone && data && !this.data.has(dataId)) this.drop(data);
    return gone;
  }

  /** The times of everything that `run` starts on the device. */
  timed(run: () => Promise<void>): Promise<KernelTime[]> {
    return this.programs.timed(run);
  }
}

function storedType(dtype: DType): StoredType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new Error(`Backend cuda holds float32, int32 and bool on the device, not ${dtype}.`);
}

function emptyValues(type: StoredType, size: number): HostValues {
  if (type === 'int32') return new Int32Array(size);
  return type === 'bool' ? new Uint8Array(size) : new Float32Array(size);
}

/** Some of TF.js's kernels leave plain arrays, and arrays of another type. */
function typedValues(type: StoredType, values: TfjsValues | readonly unknown[]): HostValues {
  if (type === 'int32') return values instanceof Int32Array ? values : Int32Array.from(numbers(values));
  if (type === 'bool') return values instanceof Uint8Array ? values : Uint8Array.from(numbers(values));
  return values instanceof Float32Array ? values : Float32Array.from(numbers(values));
}

function numbers(values: TfjsValues | readonly unknown[]): number[] {
  return Array.from<unknown, number>(values as readonly unknown[], Number);
}
