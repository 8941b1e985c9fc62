import { numbers, sizeOf, type KernelContext, type NativeKernels } from './kernelContext.ts';

/** What the sparsity measures count: sae/ops/firingCounts.ts and signalSums.ts. */
export function sparsityKernels({ backend, library }: KernelContext): NativeKernels {
  const firing = library.bind<[...unknown[]]>(
    'void lazyscope_firing(void* a, void* gates, void* bar, int64_t rows, int64_t neurons, void* thresholds, int32_t levels, int32_t neuron_level, void* fired, void* fired_at, void* sum, void* level_counts, void* row_fired, void* over, void* over_counts)',
  );
  const chunk = library.bind<[], number>('int64_t lazyscope_firing_chunk()')();
  const signal = library.bind<[unknown, number, number, unknown]>(
    'void lazyscope_signal(void* x, int64_t rows, int64_t d, void* sums)',
  );
  // Large, and of no use once the entries are gathered: one for all calls.
  let overBuffer = new Int32Array(0);
  return {
    FiringCounts: ({ activations, gates, bar }, attributes) => {
      const neurons = sizeOf(bar.shape);
      const first = Number(attributes.first);
      const rows = Number(attributes.rows);
      const thresholds = Float32Array.from(numbers(attributes.thresholds));
      const block = (tensor: typeof activations) =>
        backend.values(tensor).subarray(first * neurons, (first + rows) * neurons);
      const fired = backend.output([neurons], 'int32');
      const firedAt = backend.output([neurons], 'int32');
      const sum = backend.output([neurons], 'float32');
      const levels = backend.output([thresholds.length + 1], 'int32');
      const rowFired = backend.output([rows], 'int32');
      if (overBuffer.length < rows * neurons) overBuffer = new Int32Array(rows * neurons);
      const overCounts = new Int32Array(Math.ceil(neurons / chunk));
      firing(
        block(activations),
        block(gates),
        backend.values(bar),
        rows,
        neurons,
        thresholds,
        thresholds.length,
        Number(attributes.neuronThreshold),
        fired.values,
        firedAt.values,
        sum.values,
        levels.values,
        rowFired.values,
        overBuffer,
        overCounts,
      );
      const over = backend.output([overCounts.reduce((a, b) => a + b, 0)], 'int32');
      let at = 0;
      overCounts.forEach((count, c) => {
        const from = c * chunk * rows;
        over.values.set(overBuffer.subarray(from, from + count), at);
        at += count;
      });
      return [fired, firedAt, sum, levels, rowFired, over].map(({ info }) => info);
    },
    SignalSums: ({ x }) => {
      const d = x.shape[x.shape.length - 1];
      const out = backend.output([2], 'float32');
      signal(backend.values(x), sizeOf(x.shape) / d, d, out.values);
      return out.info;
    },
  };
}
