/**
 * The TF.js backend behind `native`: TF.js's CPU backend for bookkeeping, tensors as typed arrays that C++
 * works on directly, and their buffers reused.
 *
 * A buffer goes back to the pool only if this backend made it and nobody else can have seen it: reading a
 * tensor's values hands out the very array, so from then on the array is the reader's.
 */
import { createRequire } from 'node:module';
import { totalmem } from 'node:os';
import type * as Cpu from '@tensorflow/tfjs-backend-cpu';
import type { Tf } from '../../tensor/tf.ts';
import { BufferPool, type ValueType } from './bufferPool.ts';
import { type Values, type Writable, writable } from './pointers.ts';

const require = createRequire(import.meta.url);
const cpu = require('@tensorflow/tfjs-backend-cpu') as typeof Cpu;

type DataId = Tf.TensorInfo['dataId'];
type TensorData = ReturnType<InstanceType<typeof cpu.MathBackendCPU>['data']['get']>;
interface NativeData extends TensorData {
  /** Whether this backend made the memory and has never handed it out, so that it may be reused. */
  pooled?: boolean;
  /** Numbers in the format of their file, until something is written over them. */
  stored?: StoredData;
}

/** What a kernel that reads stored numbers needs. */
export interface StoredData {
  /** Position in `storedFormats`. */
  format: number;
  bytes(): Uint8Array;
}

export interface Output<T extends Values = Values> {
  info: Tf.TensorInfo;
  /** Its contents are undefined: the kernel must write all of it. */
  values: Writable<T>;
}

export class NativeBackend extends cpu.MathBackendCPU {
  readonly pool = new BufferPool(Math.min(4 * 2 ** 30, totalmem() / 6));

  constructor() {
    super();
    // TF.js's CPU backend prints an advertisement at its first write.
    Object.assign(this, { firstUse: false });
  }

  /** The memory of a tensor, in place. */
  values(tensor: Tf.TensorInfo): Values {
    const data = this.data.get(tensor.dataId);
    const { values } = data;
    if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array)
      return values;
    // Some of TF.js's kernels leave plain arrays.
    const typed = typedValues(tensor.dtype, Array.from<unknown, number>(values ?? [], Number));
    data.values = typed;
    return typed;
  }

  /**
   * A tensor whose numbers stay as they are stored. Kernels that know of it ask `stored`; whoever asks for its values gets
   * what `widen` makes, new each time, so that nobody need know.
   */
  storedTensor(shape: readonly number[], stored: StoredData, widen: () => Float32Array): Tf.TensorInfo {
    const info = this.makeTensorInfo([...shape], 'float32');
    const data = this.data.get(info.dataId) as NativeData;
    data.stored = stored;
    Object.defineProperty(data, 'values', {
      configurable: true,
      enumerable: true,
      get: widen,
      set(values: Values) {
        data.stored = undefined;
        Object.defineProperty(data, 'values', {
          value: values,
          writable: true,
          configurable: true,
          enumerable: true,
        });
      },
    });
    return info;
  }

  /** Undefined for a tensor of plain floats. */
  stored(tensor: Tf.TensorInfo): StoredData | undefined {
    return (this.data.get(tensor.dataId) as NativeData).stored;
  }

  /** The memory of a float32 tensor, in place. Throws for a tensor of another type. */
  floats(tensor: Tf.TensorInfo): Float32Array {
    const values = this.values(tensor);
    if (values instanceof Float32Array) return values;
    throw new TypeError(`A kernel of backend native needs float32 but was given ${tensor.dtype}.`);
  }

  /** The memory of an int32 tensor, in place. Throws for a tensor of another type. */
  integers(tensor: Tf.TensorInfo): Int32Array {
    const values = this.values(tensor);
    if (values instanceof Int32Array) return values;
    throw new TypeError(`A kernel of backend native needs int32 but was given ${tensor.dtype}.`);
  }

  /** A new tensor. `roomy`: its length is another each time (see BufferPool.take). */
  output(shape: readonly number[], dtype: 'float32', roomy?: boolean): Output<Float32Array>;
  output(shape: readonly number[], dtype: 'int32', roomy?: boolean): Output<Int32Array>;
  output(shape: readonly number[], dtype: 'bool', roomy?: boolean): Output<Uint8Array>;
  output(shape: readonly number[], dtype: string, roomy?: boolean): Output;
  output(shape: readonly number[], dtype: string, roomy = false): Output {
    const type = valueType(dtype);
    let size = 1;
    for (const n of shape) size *= n;
    const values = this.pool.take(type, size, roomy);
    const info = this.makeTensorInfo([...shape], type, values);
    (this.data.get(info.dataId) as NativeData).pooled = true;
    return { info, values: writable(values) };
  }

  /** The memory of a tensor that is about to be overwritten: a copy first, if someone else may hold it. */
  ownValues(tensor: Tf.TensorInfo): Writable<Float32Array> {
    const data = this.data.get(tensor.dataId) as NativeData;
    if (!data.pooled) {
      const copy = this.pool.take('float32', this.values(tensor).length);
      copy.set(this.values(tensor));
      data.values = copy;
      data.pooled = true;
    }
    return writable(data.values as Float32Array);
  }

  /** To be called when someone else may hold the tensor's memory: it is then not reused. */
  release(dataId: DataId): void {
    if (this.data.has(dataId)) (this.data.get(dataId) as NativeData).pooled = false;
  }

  override readSync(dataId: DataId): ReturnType<InstanceType<typeof cpu.MathBackendCPU>['readSync']> {
    this.release(dataId);
    return super.readSync(dataId);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const data = this.data.has(dataId) ? (this.data.get(dataId) as NativeData) : undefined;
    const gone = super.disposeData(dataId, force);
    if (gone && data?.pooled && !this.data.has(dataId)) {
      data.pooled = false;
      this.pool.give(valueType(data.dtype), data.values as Values);
    }
    return gone;
  }
}

function valueType(dtype: string): ValueType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new Error(`Backend native holds float32, int32 and bool, not ${dtype}.`);
}

function typedValues(dtype: string, values: readonly number[]): Values {
  if (dtype === 'int32') return Int32Array.from(values);
  return dtype === 'bool' ? Uint8Array.from(values) : Float32Array.from(values);
}
