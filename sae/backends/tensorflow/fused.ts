/**
 * The fused kernels of sae/ops composed of TensorFlow's own operations, on whatever device TensorFlow computes. The pre-activations of a batch
 * exist block by block of its rows; a batch of which so much fires that lists would be slower is the exception, and takes the reference's matrices.
 *
 * Every sum has an order of its own on CPUs. On GPUs TensorFlow adds the parts of a segment as they come unless TF_DETERMINISTIC_OPS is set.
 */
import { firing, latentActivations, preActivations } from '../../ops/denseActivations.ts';
import type { BatchSelection, Encoder, FusedKernels } from '../../ops/fusedKernels.ts';
import { kernelParameters } from '../../ops/kernelParameters.ts';
import { withoutParallel } from '../../ops/rowSizes.ts';
import type { SparseEntries } from '../../ops/sparseEntries.ts';
import {
  tf,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from '../../tensor/tf.ts';
import { normalsOf, sizesOf } from './decoderRows.ts';
import { clipping, prefixTable, tensorflowGradients } from './gradients.ts';
import {
  activationsOf, ascending, asMatrix, dotsAt, eachBlock, firingOf, joined, leastValue, listed, reconstructUniform, rowsOf, rowStarts,
  type FoundEntries,
} from './lists.ts'; // prettier-ignore
import type { Operations } from './operations.ts';

export interface FusedSettings {
  /** Most bytes of a block of pre-activations. */
  readonly blockBytes: number;
  /** The share of listed latents above which the matrix is kept: a product with an entry of a list takes as long as with about a hundred of a matrix. */
  readonly denseAbove: number;
}

export const fusedSettings: FusedSettings = { blockBytes: 2 ** 26, denseAbove: 0.01 };

/** The share of what is listed is estimated from this many rows. */
const sampledRows = 64;
/** By how much lower than the expected least activation the search for the largest of a batch begins. */
const below = 0.9;

export function tensorflowFusedKernels(
  operations: Operations,
  settings: FusedSettings = fusedSettings,
): FusedKernels {
  /** How many entries each row has, of lists for which that is one number. */
  const uniform = new WeakMap<SparseEntries, number>();

  /** Non-finite activations rank above all others; NaN itself has no rank. */
  const rankOf = (rectified: Tensor2D): Tensor2D =>
    operations.select(tf.isFinite(rectified), rectified, tf.scalar(Infinity));
  const withoutInfinity = (values: Tensor1D): Tensor1D =>
    operations.select(tf.isFinite(values), values, tf.scalar(NaN));

  /** Every activation of the batch above `bar`, which is at least 0. */
  function above(x: Tensor2D, encoder: Encoder, bar: number): FoundEntries {
    return tf.tidy(() => {
      const parts = eachBlock(x, encoder, settings.blockBytes, (z, firstRow) => {
        const rank = rankOf(tf.relu(z));
        return listed(operations, tf.greater(rank, bar), rank, firstRow);
      });
      const [row, latent, values] = joined(parts);
      return { row, latent, values };
    });
  }

  /** Bars to try until enough activations exceed one: near what is expected, then judged by the first rows, then 0. */
  function* bars(x: Tensor2D, encoder: Encoder, { count, near = 0 }: BatchSelection): Generator<number> {
    if (near > 0) yield below * near;
    const rows = Math.min(x.shape[0], sampledRows);
    const z = tf.tidy(() => preActivations(x.slice([0, 0], [rows, x.shape[1]]), encoder));
    const sorted = z.dataSync<'float32'>().filter(Number.isFinite).sort();
    z.dispose();
    const share = count / (x.shape[0] * encoder.wEnc.shape[0]);
    const sampled = below * (sorted.at(-Math.ceil(share * sorted.length) - 1) ?? 0);
    if (sampled > 0) {
      yield sampled;
      yield sampled / 2;
    }
    yield 0;
  }

  return {
    backend: 'tensorflow',

    scaledBatch(values, d, scale) {
      const x = tf.tidy(() => tf.tensor2d(values, [values.length / d, d]).mul<Tensor2D>(scale));
      return { x, variance: varianceAboutMean(x) };
    },

    varianceAboutMean,

    topKEncode(x, encoder, k, among) {
      const [rows] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const made = tf.tidy(() => {
        const chosen = among ? tf.tensor1d(among, 'int32') : null;
        const from = chosen
          ? { ...encoder, wEnc: tf.gather(encoder.wEnc, chosen), bEnc: tf.gather(encoder.bEnc, chosen) }
          : encoder;
        const parts = eachBlock(x, from, settings.blockBytes, (z): [Tensor1D, Tensor1D] => {
          const rectified = tf.relu(z);
          z.dispose();
          const rank = rankOf(rectified);
          rectified.dispose();
          const order = ascending(operations, operations.topK(rank, k, false)[1]);
          const values = operations.gatherInRows<Tensor2D>(rank, order);
          return [order.reshape([-1]), values.reshape([-1])];
        });
        const [order, values] = joined(parts);
        return {
          rowStart: tf.range(0, rows * k + 1, k, 'int32'),
          indices: chosen ? tf.gather(chosen, order) : order,
          values: withoutInfinity(values),
        };
      });
      const entries: SparseEntries = { kind: 'sparse', rows, latents, ...made };
      uniform.set(entries, k);
      return entries;
    },

    batchTopKEncode(x, encoder, selection) {
      const [rows] = x.shape;
      const [latents] = encoder.wEnc.shape;
      let found: FoundEntries | null = null;
      for (const bar of bars(x, encoder, selection)) {
        tf.dispose(found ? Object.values(found) : []);
        found = above(x, encoder, bar);
        if (found.values.shape[0] >= selection.count) break;
      }
      const { row, latent, values } = found as FoundEntries;
      const { least, ...made } = tf.tidy(() => {
        const kept = Math.min(values.shape[0], selection.count);
        const order =
          kept < values.shape[0] ? ascending(operations, operations.topK(values, kept, false)[1]) : null;
        const at = <T extends Tensor>(of: T): T => (order ? tf.gather(of, order as Tensor1D) : of.clone());
        const chosen = withoutInfinity(at(values));
        return {
          rowStart: rowStarts(operations, at(row), rows),
          indices: at(latent),
          values: chosen,
          least: leastValue(operations, chosen),
        };
      });
      tf.dispose([row, latent, values]);
      return { entries: { kind: 'sparse', rows, latents, ...made }, least };
    },

    thresholdEncode(x, encoder, { threshold, bandwidth }) {
      const [rows] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const limit = settings.denseAbove * latents;
      const made = tf.tidy(() => {
        const bar = threshold ? threshold.sub(bandwidth / 2) : tf.scalar(-bandwidth / 2);
        let [count, seen] = [0, 0];
        const parts: [Tensor1D, Tensor1D, Tensor1D][] = [];
        const size = Math.max(1, Math.floor(settings.blockBytes / (4 * latents)));
        while (seen < rows) {
          const part = Math.min(seen === 0 ? Math.min(size, sampledRows) : size, rows - seen);
          const first = seen;
          const entries = tf.tidy(() => {
            const z = preActivations(x.slice([first, 0], [part, x.shape[1]]), encoder);
            return listed(operations, tf.logicalOr(tf.greater(z, bar), tf.isNaN(z)), z, first);
          });
          parts.push(entries);
          seen += part;
          count += entries[2].shape[0];
          if (count > limit * seen) return undefined;
        }
        const [row, indices, values] = joined(parts);
        return { rowStart: rowStarts(operations, row, rows), indices, values };
      });
      if (made) return { kind: 'sparse', rows, latents, ...made };
      return { kind: 'dense', rows, latents, values: preActivations(x, encoder) };
    },

    sparseDecode: (entries, w) =>
      tf.tidy(() => operations.sparseProduct(asMatrix(operations, entries), w, false)),
    sparseDots: (pattern, g, w) => tf.tidy(() => dotsAt(rowsOf(operations, pattern), pattern.indices, g, w)),
    sparseOuter: (entries, g) =>
      tf.tidy(() => operations.sparseProduct(asMatrix(operations, entries), g, true)),

    firings(entries, threshold) {
      return tf.tidy(() => {
        if (entries.kind === 'dense') {
          const on = firing(entries.values, threshold);
          return {
            counts: on.cast('int32').sum<Tensor1D>(0),
            sums: latentActivations(entries.values, threshold).sum<Tensor1D>(0),
          };
        }
        const { indices, latents } = entries;
        const on = firingOf(entries, threshold).cast<Tensor1D>('int32');
        const f = activationsOf(operations, entries, threshold);
        return {
          counts: operations.segmentSum<Tensor1D>(on, indices, latents),
          sums: operations.segmentSum<Tensor1D>(f, indices, latents),
        };
      });
    },

    reconstruct(entries, threshold, { wDec, bias }, target) {
      return tf.tidy(() => {
        const offset = bias ? bias.sub<Tensor2D>(target) : tf.neg(target);
        if (entries.kind === 'dense') {
          const error = tf.matMul(latentActivations(entries.values, threshold), wDec).add<Tensor2D>(offset);
          const dots = tf.matMul<Tensor2D>(error, wDec, false, true);
          return { error, dots, squaredError: operations.sumOfSquares(error) };
        }
        const { indices } = entries;
        const f = activationsOf(operations, entries, threshold);
        const k = uniform.get(entries);
        if (k) {
          const { error, dots } = reconstructUniform(k, { indices, f }, wDec, offset);
          return { error, dots, squaredError: operations.sumOfSquares(error) };
        }
        const matrix = asMatrix(operations, entries, f);
        const error = operations.sparseProduct(matrix, wDec, false).add<Tensor2D>(offset);
        const dots = dotsAt(matrix.row, indices, error, wDec);
        return { error, dots, squaredError: operations.sumOfSquares(error) };
      });
    },

    reconstructNested(entries, prefixes, { wDec, bias }, target) {
      const [rows, d] = target.shape;
      const count = prefixes.length;
      return tf.tidy(() => {
        const f = activationsOf(operations, entries, null);
        const row = rowsOf(operations, entries);
        const { indices, latents } = entries;
        // Row p·rows + b of the matrix has the entries of row b that are new in prefix p.
        const stacked = row.add<Tensor1D>(tf.gather(prefixTable(prefixes, rows), indices));
        const matrix = { rows: count * rows, columns: latents, row: stacked, column: indices, values: f };
        const parts = operations.sparseProduct(matrix, wDec, false).reshape<Tensor3D>([count, rows, d]);
        const alone = tf.cumsum(parts, 0).add<Tensor3D>(bias.sub(target));
        const errors = tf.cumsum(alone, 0, false, true).reshape<Tensor2D>([count * rows, d]);
        const last = errors.slice([(count - 1) * rows, 0], [rows, d]);
        return {
          errors,
          dots: dotsAt(stacked, indices, errors, wDec),
          nestedError: operations.sumOfSquares(alone),
          squaredError: operations.sumOfSquares(last),
        };
      });
    },

    gradients: (request) => tensorflowGradients(operations, request),

    update(request, { first, second }, adam) {
      const { learningRate, beta1, beta2, epsilon, step, clipNorm, unitNormDecoder } = adam;
      const gradients = tensorflowGradients(operations, request);
      const scale = clipNorm === null ? 1 : clipping(operations, gradients, clipNorm);
      const correction = Math.sqrt(1 - beta2 ** step);
      const adamStep = {
        rate: (learningRate * correction) / (1 - beta1 ** step),
        beta1,
        beta2,
        epsilon: epsilon * correction,
      };
      for (const name of kernelParameters) {
        const [parameter, gradient] = [request.parameters[name], gradients[name]];
        const [m, v] = [first[name], second[name]];
        if (!parameter || !gradient || !m || !v) continue;
        tf.tidy(() => {
          const unitNorm = name === 'wDec' && unitNormDecoder;
          const clipped = scale === 1 ? gradient : gradient.mul<Tensor2D>(scale);
          const w = parameter as Tensor2D;
          // The length of a normal is of no account, and a row without blocks is its own.
          const normals = () => (request.blocks ? normalsOf(operations, w, request.blocks) : w);
          const g = unitNorm ? withoutParallel(clipped as Tensor2D, normals()) : clipped;
          operations.adam(parameter, m, v, g, adamStep);
          if (unitNorm) parameter.assign(w.div(sizesOf(operations, w, request.blocks).maximum(1e-30)));
        });
        gradient.dispose();
      }
    },
  } satisfies FusedKernels;

  function varianceAboutMean(x: Tensor2D): Scalar {
    return tf.tidy(() => operations.sumOfSquares(x.sub(x.mean(0))));
  }
}
