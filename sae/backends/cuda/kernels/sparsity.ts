import type { Mask } from '../../../ops/maskedActivations.ts';
import { maskRules } from '../../../ops/maskedActivations.ts';
import type { KernelRequest } from '../programs.ts';
import { numbers, sizeOf } from '../../kernelInputs.ts';
import { blockPerRow, oneEach, type CudaKernels, type KernelContext } from './kernelContext.ts';

const kernel = (name: string): KernelRequest => ({ file: 'sparsity.cu', name });
const [firing, listOver, signal, truncation, mask] = [
  'firing',
  'listOver',
  'signal',
  'truncation',
  'maskRow',
].map(kernel);
const sumsBefore: KernelRequest = { file: 'segments.cu', name: 'sumsBefore' };
const sumDoubles: KernelRequest = { file: 'languageModel.cu', name: 'sumDoubles' };
/** Counts of one block are in shared memory. */
const mostThresholds = 16;

/** The kernels behind sae/ops/firingCounts.ts, signalSums.ts, truncationLosses.ts and maskedActivations.ts, which the sparsity measures use. */
export function sparsityKernels({ backend }: KernelContext): CudaKernels {
  const { programs } = backend;
  return {
    FiringCounts: ({ activations, gates, bar }, attributes) => {
      const neurons = sizeOf(bar.shape);
      const first = Number(attributes.first);
      const rows = Number(attributes.rows);
      const thresholds = Float32Array.from(numbers(attributes.thresholds));
      const levels = thresholds.length;
      if (levels > mostThresholds)
        throw new Error(`Firings are counted at ${mostThresholds} thresholds at most, not at ${levels}.`);
      const block = (tensor: typeof activations) => {
        const { address, bytes } = backend.buffer(tensor);
        const offset = 4 * first * neurons;
        return { address: address + BigInt(offset), bytes: bytes - offset };
      };
      const fired = backend.output([neurons], 'int32');
      const firedAt = backend.output([neurons], 'int32');
      const sum = backend.output([neurons], 'float32');
      const levelCounts = backend.output([levels + 1], 'int32');
      const rowFired = backend.output([rows], 'int32');
      const bounds = backend.scratch(4 * levels);
      const overs = backend.scratch(4 * neurons);
      const starts = backend.scratch(4 * (neurons + 1));
      backend.transfers.upload(thresholds, bounds);
      backend.fill(levelCounts.buffer, 0, levels + 1);
      backend.fill(rowFired.buffer, 0, rows);
      const from = [block(activations), block(gates), backend.buffer(bar)];
      programs.run(firing, oneEach(neurons), [
        ...from, bounds, levels, Number(attributes.neuronThreshold), rows, neurons,
        fired.buffer, firedAt.buffer, sum.buffer, levelCounts.buffer, rowFired.buffer, overs,
      ]); // prettier-ignore
      programs.run(sumsBefore, { grid: 1, block: 1024 }, [overs, starts, neurons]);
      const total = new Int32Array(1);
      backend.transfers.download({ address: starts.address + BigInt(4 * neurons), bytes: 4 }, total);
      const over = backend.output([total[0]], 'int32');
      if (total[0] > 0)
        programs.run(listOver, oneEach(neurons), [...from, starts, rows, neurons, over.buffer]);
      for (const buffer of [bounds, overs, starts]) backend.give(buffer);
      return [fired, firedAt, sum, levelCounts, rowFired, over].map(({ info }) => info);
    },

    SignalSums: ({ x }) => {
      const d = x.shape[x.shape.length - 1];
      const rows = sizeOf(x.shape) / d;
      const out = backend.output([2], 'float32');
      const sums = backend.scratch(16 * rows);
      programs.run(signal, blockPerRow(rows, d), [backend.buffer(x), sums, d]);
      programs.run(sumDoubles, { grid: 2, block: 256 }, [sums, out.buffer, rows, 2]);
      backend.give(sums);
      return out.info;
    },

    TruncationLosses: ({ activations, outputs, order }) => {
      const [tokens, neurons] = activations.shape;
      const d = outputs.shape[1];
      const out = backend.output(activations.shape, 'float32');
      const sums = backend.scratch(8 * tokens * d);
      programs.run(truncation, blockPerRow(tokens, d), [
        backend.buffer(activations), backend.buffer(outputs), backend.buffer(order), sums, out.buffer, neurons, d,
      ]); // prettier-ignore
      backend.give(sums);
      return out.info;
    },

    MaskedActivations: ({ a, key, bars }, { rule, k, quantile }) => {
      const neurons = a.shape[a.shape.length - 1];
      const out = backend.output(a.shape, 'float32');
      const counts = backend.output([2], 'int32');
      backend.fill(counts.buffer, 0, 2);
      programs.run(mask, blockPerRow(sizeOf(a.shape) / neurons, neurons), [
        maskRules.indexOf(rule as Mask['rule']),
        backend.buffer(a),
        key ? backend.buffer(key) : null,
        bars ? backend.buffer(bars) : null,
        out.buffer,
        counts.buffer,
        neurons,
        Number(k ?? 0),
        Number(quantile ?? 0),
      ]);
      return [out.info, counts.info];
    },
  };
}
