import { maskRules, type Mask } from '../../../ops/maskedActivations.ts';
import { writable } from '../pointers.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import type { KernelContext, NativeKernels } from './kernelContext.ts';

/** The kernels behind sae/ops/firingCounts.ts, signalSums.ts, truncationLosses.ts and maskedActivations.ts, which the sparsity measures use. */
export function sparsityKernels({ backend, library }: KernelContext): NativeKernels {
  const { firing, firingChunk, signal, truncation, mask } = library.functions;
  const chunk = firingChunk();
  // Large, and of no use once the entries are gathered: one for all calls.
  let overBuffer = writable(new Int32Array(0));
  return {
    FiringCounts: ({ activations, gates, bar }, attributes) => {
      const neurons = sizeOf(bar.shape);
      const first = Number(attributes.first);
      const rows = Number(attributes.rows);
      const thresholds = Float32Array.from(numbers(attributes.thresholds));
      const block = (tensor: typeof activations) =>
        backend.floats(tensor).subarray(first * neurons, (first + rows) * neurons);
      const fired = backend.output([neurons], 'int32');
      const firedAt = backend.output([neurons], 'int32');
      const sum = backend.output([neurons], 'float32');
      const levels = backend.output([thresholds.length + 1], 'int32');
      const rowFired = backend.output([rows], 'int32');
      if (overBuffer.length < rows * neurons) overBuffer = writable(new Int32Array(rows * neurons));
      const overCounts = writable(new Int32Array(Math.ceil(neurons / chunk)));
      firing({
        a: block(activations),
        gates: block(gates),
        bar: backend.floats(bar),
        rows,
        neurons,
        thresholds,
        levels: thresholds.length,
        neuronLevel: Number(attributes.neuronThreshold),
        fired: fired.values,
        firedAt: firedAt.values,
        sum: sum.values,
        levelCounts: levels.values,
        rowFired: rowFired.values,
        over: overBuffer,
        overCounts,
      });
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
      signal(backend.floats(x), sizeOf(x.shape) / d, d, out.values);
      return out.info;
    },
    TruncationLosses: ({ activations, outputs, order }) => {
      const [tokens, neurons] = activations.shape;
      const out = backend.output(activations.shape, 'float32');
      truncation(
        backend.floats(activations), backend.floats(outputs), backend.integers(order),
        tokens, neurons, outputs.shape[1], out.values,
      ); // prettier-ignore
      return out.info;
    },
    MaskedActivations: ({ a, key, bars }, { rule, k, quantile }) => {
      const neurons = a.shape[a.shape.length - 1];
      const out = backend.output(a.shape, 'float32');
      const counts = backend.output([2], 'int32');
      mask({
        a: backend.floats(a),
        key: key ? backend.floats(key) : null,
        bars: bars ? backend.floats(bars) : null,
        rows: sizeOf(a.shape) / neurons,
        neurons,
        rule: maskRules.indexOf(rule as Mask['rule']),
        k: Number(k ?? 0),
        quantile: Number(quantile ?? 0),
        out: out.values,
        counts: counts.values,
      });
      return [out.info, counts.info];
    },
  };
}
