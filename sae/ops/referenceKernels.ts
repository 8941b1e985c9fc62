/**
 * The fused kernels written in plain TF.js ops: slow, short, and the definition of what the tuned ones must
 * compute. They work on every backend.
 */
import { tf, type Scalar, type Tensor, type Tensor1D, type Tensor2D } from '../tensor/tf.ts';
import { latentActivations, densePreActivations, firing, preActivations } from './denseActivations.ts';
import type {
  BatchChoice,
  BatchSelection,
  Encoder,
  FusedKernels,
  NestedReconstruction,
} from './fusedKernels.ts';
import { leastOf } from './leastOf.ts';
import { referenceGradients, referenceUpdate } from './referenceUpdate.ts';
import { denseFromEntries, type Entries, type SparseEntries, sparseEntries } from './sparseEntries.ts';
import { sumOfSquares } from './sumOfSquares.ts';
import { varianceAboutMean } from './varianceAboutMean.ts';

function topKEncode(x: Tensor2D, encoder: Encoder, k: number, among?: Int32Array): SparseEntries {
  const [latents] = encoder.wEnc.shape;
  const [rows] = x.shape;
  const [order, rectified] = tf.tidy(() => {
    const chosen = among ? tf.tensor1d(among, 'int32') : null;
    const restricted = chosen
      ? { ...encoder, wEnc: tf.gather(encoder.wEnc, chosen), bEnc: tf.gather(encoder.bEnc, chosen) }
      : encoder;
    const rectified = latentActivations(preActivations(x, restricted), null);
    // tf.topk cannot order NaN, so values that are not finite are ranked as the largest finite number, and become NaN
    // afterwards.
    const rank = tf.where<Tensor>(tf.isFinite(rectified), rectified, tf.scalar(3.4028234e38));
    return [tf.topk(rank, k, true).indices, rectified];
  });
  const chosen = order.dataSync<'int32'>();
  const values = rectified.dataSync<'float32'>();
  tf.dispose([order, rectified]);
  const candidates = among?.length ?? latents;
  const rowStart = Int32Array.from({ length: rows + 1 }, (_, row) => row * k);
  const sorted = new Int32Array(rows * k);
  const kept = new Float32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    const own = sorted.subarray(row * k, (row + 1) * k);
    own.set(chosen.subarray(row * k, (row + 1) * k));
    own.sort();
    for (let j = 0; j < k; j++) {
      const value = values[row * candidates + own[j]];
      kept[row * k + j] = Number.isFinite(value) ? value : NaN;
      if (among) own[j] = among[own[j]];
    }
  }
  return sparseEntries(latents, rowStart, sorted, kept);
}

function batchTopKEncode(x: Tensor2D, encoder: Encoder, { count }: BatchSelection): BatchChoice {
  const [rows] = x.shape;
  const [latents] = encoder.wEnc.shape;
  const rectified = tf.tidy(() => latentActivations(preActivations(x, encoder), null));
  const f = rectified.dataSync<'float32'>();
  rectified.dispose();
  const rank = (place: number) => (Number.isFinite(f[place]) ? f[place] : Infinity);
  const positive = Array.from(f.keys()).filter((place) => rank(place) > 0);
  const chosen = positive
    .sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)))
    .slice(0, count)
    .sort((a, b) => a - b);
  const rowStart = new Int32Array(rows + 1);
  for (const place of chosen) rowStart[Math.floor(place / latents) + 1]++;
  for (let row = 0; row < rows; row++) rowStart[row + 1] += rowStart[row];
  const kept = Float32Array.from(chosen, (place) => (Number.isFinite(f[place]) ? f[place] : NaN));
  const entries = sparseEntries(
    latents,
    rowStart,
    Int32Array.from(chosen, (place) => place % latents),
    kept,
  );
  return { entries, least: leastOf(kept) };
}

function values(entries: Entries, threshold: Tensor1D | null): Tensor2D {
  return tf.tidy(() => latentActivations(densePreActivations(entries), threshold));
}

/** [entries]: the elements of a dense matrix [batch, latents] at the places of the entries. */
function atEntries(pattern: SparseEntries, dense: Tensor2D): Tensor1D {
  const { rows, latents } = pattern;
  const [rowStart, indices, data] = [
    pattern.rowStart.dataSync(),
    pattern.indices.dataSync(),
    dense.dataSync(),
  ];
  const out = new Float32Array(indices.length);
  for (let row = 0; row < rows; row++)
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++) out[e] = data[row * latents + indices[e]];
  return tf.tensor1d(out);
}

export function reconstructNested(
  entries: SparseEntries,
  prefixes: Int32Array,
  { wDec, bias }: { readonly wDec: Tensor2D; readonly bias: Tensor1D },
  target: Tensor2D,
): NestedReconstruction {
  const [rows, d] = target.shape;
  const [errors, all, nested, whole] = tf.tidy(() => {
    const f = values(entries, null);
    const parts = Array.from(prefixes, (end, p) => {
      const begin = p === 0 ? 0 : prefixes[p - 1];
      return {
        begin,
        f: f.slice([0, begin], [rows, end - begin]),
        w: wDec.slice([begin, 0], [end - begin, d]),
      };
    });
    let error = bias.sub<Tensor2D>(target);
    const alone = parts.map((part) => (error = error.add<Tensor2D>(tf.matMul(part.f, part.w))));
    const sums: Tensor2D[] = [];
    for (const each of [...alone].reverse())
      sums.unshift(sums.length > 0 ? sums[0].add<Tensor2D>(each) : each);
    const dots = parts.map((part, p) => tf.matMul<Tensor2D>(sums[p], part.w, false, true));
    const squares = tf.stack(alone.map((each) => each.square().sum<Scalar>()));
    return [
      tf.concat(sums, 0),
      tf.concat(dots, 1),
      squares.sum<Scalar>(),
      squares.slice([prefixes.length - 1], [1]).sum<Scalar>(),
    ] as const;
  });
  const dots = atEntries(entries, all as Tensor2D);
  all.dispose();
  return { errors: errors as Tensor2D, dots, nestedError: nested as Scalar, squaredError: whole as Scalar };
}

export const referenceKernels = {
  backend: 'reference',

  scaledBatch(values, d, scale) {
    for (let i = 0; i < values.length; i++) values[i] *= scale;
    return { x: tf.tensor2d(values, [values.length / d, d]), variance: varianceAboutMean(values, d) };
  },

  varianceAboutMean: (x) => varianceAboutMean(x.dataSync(), x.shape[1]),

  topKEncode,
  batchTopKEncode,

  thresholdEncode(x, encoder) {
    const z = preActivations(x, encoder);
    return { kind: 'dense', rows: z.shape[0], latents: z.shape[1], values: z };
  },

  sparseDecode(entries, w) {
    return tf.tidy(() => tf.matMul(denseFromEntries(entries, 0), w));
  },

  sparseDots(pattern, g, w) {
    return tf.tidy(() => atEntries(pattern, tf.matMul(g, w, false, true)));
  },

  sparseOuter(entries, g) {
    return tf.tidy(() => tf.matMul(denseFromEntries(entries, 0), g, true, false));
  },

  firings(entries, threshold) {
    const [counts, sums] = tf.tidy(() => {
      const z = densePreActivations(entries);
      return [firing(z, threshold).cast('int32').sum(0), latentActivations(z, threshold).sum(0)];
    });
    const result = { counts: Int32Array.from(counts.dataSync()), sums: Float32Array.from(sums.dataSync()) };
    tf.dispose([counts, sums]);
    return result;
  },

  reconstruct(entries, threshold, { wDec, bias }, target) {
    const [error, dots] = tf.tidy(() => {
      const decoded = tf.matMul(values(entries, threshold), wDec);
      const error = (bias ? decoded.add<Tensor2D>(bias) : decoded).sub<Tensor2D>(target);
      const all = tf.matMul(error, wDec, false, true) as Tensor2D;
      return [error, entries.kind === 'dense' ? all : atEntries(entries, all)];
    });
    return { error: error as Tensor2D, dots, squaredError: sumOfSquares(error.dataSync<'float32'>()) };
  },

  reconstructNested,

  gradients: referenceGradients,
  update: referenceUpdate,
} satisfies FusedKernels;
