/** Registers the element-wise kernels of kernels/elementwise.ts in place of TF.js's, for floats; other types stay with TF.js. */
import { tf, type Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import {
  binary,
  binaryBodies,
  type BroadcastAxis,
  elementwiseGroups,
  toFloats,
  unary,
  unaryBodies,
  unaryGroups,
} from './kernels/elementwise.ts';
import type { Programs } from './programs.ts';

type DataId = Tf.TensorInfo['dataId'];
type KernelFunc = Tf.KernelFunc;
type Attributes = Readonly<Record<string, unknown>>;

export function registerElementwise(backend: DeviceBackend, programs: Programs): void {
  const made = (shape: readonly number[], dtype: 'float32' | 'bool'): Tf.TensorInfo => ({
    dataId: backend.write(null as never, [...shape], dtype),
    shape: [...shape],
    dtype,
  });

  for (const name of namesOf(unaryBodies))
    replace(name, (inputs, attributes) => {
      const [x] = inputs;
      if (inputs.length !== 1 || x.dtype !== 'float32') return null;
      const out = made(x.shape, 'float32');
      const size = tf.util.sizeFromShape(x.shape);
      const alpha = typeof attributes['alpha'] === 'number' ? attributes['alpha'] : 0;
      withFloats(backend, programs, inputs, (floats) =>
        programs.run(unary(name, size, alpha), [...floats, out], unaryGroups(size)),
      );
      return out;
    });

  for (const name of namesOf(binaryBodies))
    replace(name, (inputs) => {
      const [a, b] = inputs;
      if (inputs.length !== 2 || a.dtype !== 'float32' || b.dtype !== 'float32') return null;
      // Small tensors that are on the host only, TF.js compares there, as the reference does.
      if (name !== 'Pow' && backend.shouldExecuteOnCPU(inputs)) return null;
      const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
      const out = made(
        shape,
        name === 'Maximum' || name === 'Minimum' || name === 'Pow' ? 'float32' : 'bool',
      );
      const size = tf.util.sizeFromShape(shape);
      const program = binary(name, broadcastAxes(shape, a.shape, b.shape));
      withFloats(backend, programs, inputs, (floats) =>
        programs.run(program, [...floats, out], elementwiseGroups(size)),
      );
      return out;
    });
}

/**
 * Calls `run` with tensors whose memory holds floats. TF.js casts integers to floats by giving the tensor another type over the same
 * memory, which its own kernels convert as they read.
 */
export function withFloats<T>(
  backend: DeviceBackend,
  programs: Programs,
  tensors: readonly Tf.TensorInfo[],
  run: (floats: readonly Tf.TensorInfo[]) => T,
): T {
  const made: DataId[] = [];
  const floats = tensors.map((tensor) => {
    const { dtype } = backend.tensorMap.get(tensor.dataId);
    if (dtype === 'float32') return tensor;
    const { shape } = tensor;
    const dataId = backend.write(null as never, [...shape], 'float32');
    made.push(dataId);
    const size = tf.util.sizeFromShape(shape);
    const converted: Tf.TensorInfo = { dataId, shape, dtype: 'float32' };
    programs.run(toFloats(size), [tensor, converted], elementwiseGroups(size));
    return converted;
  });
  try {
    return run(floats);
  } finally {
    for (const dataId of made) backend.disposeData(dataId);
  }
}

const namesOf = <Table extends object>(table: Table) => Object.keys(table) as (keyof Table & string)[];

/** Replaces a kernel of TF.js by `run`, which leaves to it what it answers with null. */
function replace(
  kernelName: string,
  run: (inputs: readonly Tf.TensorInfo[], attributes: Attributes) => Tf.TensorInfo | null,
): void {
  const theirs = tf.getKernel(kernelName, 'webgpu');
  if (theirs) tf.unregisterKernel(kernelName, 'webgpu');
  const kernelFunc: KernelFunc = (parameters) => {
    const { inputs, attrs } = parameters;
    const operands = ['x', 'a', 'b'].flatMap((name) => inputs[name] ?? []);
    const ours = run(operands, (attrs ?? {}) as Attributes);
    if (ours) return ours;
    if (!theirs) throw new TypeError(`TF.js has no kernel ${kernelName} for webgpu.`);
    return theirs.kernelFunc(parameters);
  };
  tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc });
}

/** The axes of a result with these operands; neighbouring axes that are broadcast alike become one. Exported for tests. */
export function broadcastAxes(
  shape: readonly number[],
  left: readonly number[],
  right: readonly number[],
): BroadcastAxis[] {
  const axes: BroadcastAxis[] = [];
  const strides = { left: 1, right: 1 };
  for (let back = 1; back <= shape.length; back++) {
    const length = shape[shape.length - back];
    if (length === 1) continue;
    const own = { left: left[left.length - back] ?? 1, right: right[right.length - back] ?? 1 };
    const step = { left: own.left === 1 ? 0 : strides.left, right: own.right === 1 ? 0 : strides.right };
    strides.left *= own.left;
    strides.right *= own.right;
    const inner = axes[0];
    const joins = (side: 'left' | 'right') =>
      inner && (inner[side] === 0 ? step[side] === 0 : step[side] === inner[side] * inner.length);
    if (joins('left') && joins('right')) axes[0] = { ...inner, length: inner.length * length };
    else axes.unshift({ length, ...step });
  }
  return axes.length > 0 ? axes : [{ length: 1, left: 0, right: 0 }];
}
