import { tf, type Tf } from '../../tensor/tf.ts';

/**
 * The gradient of a gather, which TF.js's wasm backend lacks: out[segment] += x[row], rows of a negative
 * segment left out. In JavaScript: it reads and writes the wasm heap through the backend.
 */
export function registerSegmentSum(): void {
  tf.registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const heap = backend as Pick<Tf.KernelBackend, 'readSync' | 'write'>;
      const { x, segmentIds } = inputs as Record<string, Tf.TensorInfo>;
      const segments = Number(attrs?.numSegments);
      const rest = x.shape.slice(1);
      const inner = rest.reduce((a, b) => a * b, 1);
      const values = heap.readSync(x.dataId) as Float32Array;
      const ids = heap.readSync(segmentIds.dataId) as Int32Array;
      const out = new Float32Array(segments * inner);
      ids.forEach((segment, row) => {
        if (segment < 0 || segment >= segments) return;
        for (let j = 0; j < inner; j++) out[segment * inner + j] += values[row * inner + j];
      });
      const shape = [segments, ...rest];
      return { dataId: heap.write(out, shape, 'float32'), shape, dtype: 'float32' };
    },
  });
}
