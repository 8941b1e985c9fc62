/**
 * Counts firings of each neuron, on each token and by magnitude in one pass over the activations of a block of tokens. It is the
 * innermost loop of all sparsity measures. A backend may have a kernel for it; the reference counts on the host.
 */
import { floatAtMost } from '../numerics/floatAtMost.ts';
import { tf, type Tensor } from '../tensor/tf.ts';
import { hasKernel, runKernels } from './fusedKernel.ts';
import { binShift, magnitudeLevels } from './magnitudeLevels.ts';

export interface FiringInput {
  /** a, [tokens, neurons] or [contexts, seq, neurons]. */
  activations: Tensor;
  /** act(g) of a gated MLP, the same shape, which decides whether a neuron fires. Absent for an ungated MLP, where `activations` does. */
  gates?: Tensor;
  /** [neurons]: entries with |a| above it are listed in `over`. */
  bar: Float32Array;
  /** The tokens of the block: rows first … first + rows − 1. */
  first: number;
  rows: number;
  /** ε, ascending, each at least 0; entries with |a| > ε are counted for each. */
  thresholds: readonly number[];
  /** Index of the ε that is also counted for each neuron. */
  neuronThreshold: number;
}

/** A neuron fires on a token when its gate is not exactly 0. All counts are of entries that fire. */
export interface FiringCounts {
  /** [neurons]: `fired` are the tokens on which it fires, `firedAt` those on which also |a| > ε, and `sum` is Σ a over the former. */
  fired: Int32Array;
  firedAt: Int32Array;
  sum: Float32Array;
  /** [thresholds + 1]: entries by how many thresholds |a| exceeds. */
  levels: Int32Array;
  /** [rows]: number of neurons that fire on the token. */
  rowFired: Int32Array;
  /** row · neurons + neuron of each entry above the bar; the entries of one neuron are in the order of rows. */
  over: Int32Array;
}

export function firingCounts(input: FiringInput): FiringCounts {
  return hasKernel('FiringCounts') ? kernelFiringCounts(input) : referenceFiringCounts(input);
}

function kernelFiringCounts(input: FiringInput): FiringCounts {
  const { activations, gates = activations, first, rows, neuronThreshold } = input;
  const bar = tf.tensor1d(input.bar, 'float32');
  const thresholds = input.thresholds.map(floatAtMost);
  const outputs = runKernels(
    'FiringCounts',
    { activations, gates, bar },
    { first, rows, thresholds, neuronThreshold },
  );
  const [fired, firedAt, sum, levels, rowFired, over] = outputs.map((output) => output.dataSync());
  tf.dispose([bar, ...outputs]);
  return { fired, firedAt, sum, levels, rowFired, over } as FiringCounts;
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
