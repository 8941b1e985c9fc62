/**
 * What one block of tokens says about each neuron, in one pass over the activations: the innermost loop of every
 * sparsity measure. A backend may have a kernel for it; the reference counts on the host.
 */
import { tf, type Tensor } from '../tensor/tf.ts';
import { hasKernel, runKernels } from './fusedKernel.ts';
import { binShift, magnitudeLevels } from './magnitudeLevels.ts';

export interface FiringInput {
  /** a, [tokens, neurons] or [contexts, seq, neurons]. */
  activations: Tensor;
  /** What decides who fires, the same shape: act(g) of a gated MLP. Absent where it is `activations` itself. */
  gates?: Tensor;
  /** [neurons]: entries with |a| above it are named one by one. */
  bar: Float32Array;
  /** The tokens of the block: rows first … first + rows − 1. */
  first: number;
  rows: number;
  /** ε, ascending from 0 or more; |a| > ε is counted for each. */
  thresholds: readonly number[];
  /** Which of them is also counted neuron by neuron. */
  neuronThreshold: number;
}

/** "Fires" means that the gate is not exactly 0; only entries that fire are counted anywhere. */
export interface FiringCounts {
  /** [neurons]: tokens on which it fires; on which |a| > ε besides; the sum of a over the former. */
  fired: Int32Array;
  firedAt: Int32Array;
  sum: Float32Array;
  /** [thresholds + 1]: entries by how many thresholds |a| exceeds. */
  levels: Int32Array;
  /** [rows]: neurons that fire on it. */
  rowFired: Int32Array;
  /** row · neurons + neuron of each entry over the bar; of one neuron, in the order of rows. */
  over: Int32Array;
}

export function firingCounts(input: FiringInput): FiringCounts {
  return hasKernel('FiringCounts') ? kernelFiringCounts(input) : referenceFiringCounts(input);
}

function kernelFiringCounts(input: FiringInput): FiringCounts {
  const { activations, gates = activations, first, rows, neuronThreshold } = input;
  const bar = tf.tensor1d(input.bar, 'float32');
  const thresholds = input.thresholds.map(roundDown);
  const outputs = runKernels(
    'FiringCounts',
    { activations, gates, bar },
    { first, rows, thresholds, neuronThreshold },
  );
  const [fired, firedAt, sum, levels, rowFired, over] = outputs.map((output) => output.dataSync());
  tf.dispose([bar, ...outputs]);
  return { fired, firedAt, sum, levels, rowFired, over } as FiringCounts;
}

/** The largest single-precision number that is not above x ≥ 0: what exceeds the one exceeds the other. */
function roundDown(x: number): number {
  const single = Float32Array.of(x);
  if (single[0] > x) new Int32Array(single.buffer)[0]--;
  return single[0];
}

export function referenceFiringCounts(input: FiringInput): FiringCounts {
  const { activations, gates = activations, bar, first, rows, thresholds, neuronThreshold } = input;
  const neurons = bar.length;
  const a = activations.dataSync<'float32'>();
  const g = gates.dataSync<'float32'>();
  const bits = new Int32Array(a.buffer, a.byteOffset, a.length);
  const { level, edge } = magnitudeLevels(thresholds);
  const counts = {
    fired: new Int32Array(neurons),
    firedAt: new Int32Array(neurons),
    sum: new Float32Array(neurons),
    levels: new Int32Array(thresholds.length + 1),
    rowFired: new Int32Array(rows),
  };
  const { fired, firedAt, sum, levels, rowFired } = counts;
  const over: number[] = [];
  for (let row = 0; row < rows; row++)
    for (let i = 0, at = (first + row) * neurons; i < neurons; i++, at++) {
      if (g[at] === 0) continue;
      const magnitudeBits = bits[at] & 0x7fffffff;
      const bin = magnitudeBits >> binShift;
      const exceeded = level[bin] + ((edge[bin] - magnitudeBits) >>> 31);
      levels[exceeded]++;
      if (exceeded > neuronThreshold) firedAt[i]++;
      rowFired[row]++;
      fired[i]++;
      sum[i] += a[at];
      if (Math.abs(a[at]) > bar[i]) over.push(row * neurons + i);
    }
  return { ...counts, over: Int32Array.from(over) };
}
