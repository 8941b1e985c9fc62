/**
 * Replaces TF.js's sum over the rows of a matrix. TF.js's own transposes the matrix first, and gives each column to one workgroup.
 */
import { tf, type Tensor2D, type Tf } from '../../tensor/tf.ts';
import type { DeviceBackend } from './deviceBackend.ts';
import type { DeviceSums } from './deviceSums.ts';

export function registerSum(backend: DeviceBackend, sums: DeviceSums): void {
  const theirs = tf.getKernel('Sum', 'webgpu');
  if (!theirs) throw new TypeError('TF.js has no kernel Sum for webgpu.');
  tf.unregisterKernel('Sum', 'webgpu');
  tf.registerKernel({
    ...theirs,
    kernelFunc(parameters) {
      const { inputs, attrs } = parameters;
      const x = inputs['x'] as Tf.TensorInfo;
      const { axis, keepDims } = (attrs ?? {}) as { axis?: number | number[]; keepDims?: boolean };
      const axes = [axis ?? []].flat();
      const overRows = x.shape.length === 2 && axes.length === 1 && (axes[0] === 0 || axes[0] === -2);
      const { dtype } = backend.tensorMap.get(x.dataId);
      const small = x.shape[0] < leastRows || x.shape[1] === 0;
      if (!overRows || small || dtype !== 'float32' || backend.shouldExecuteOnCPU([x]))
        return theirs.kernelFunc(parameters);
      const total = sums.rows(x as Tensor2D);
      return keepDims ? total.reshape([1, x.shape[1]]) : total;
    },
  });
}

/** Rows from which on blocks of them are summed apart. */
const leastRows = 32;
