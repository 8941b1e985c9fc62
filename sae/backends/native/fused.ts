/**
 * The fused kernels of sae/ops on the native backend: C++ on the memory behind the tensors. Parameters and moments
 * are changed in place; z [batch, latents] exists only on the dense path, gradients only there and for tests.
 */
import { hostNumber } from '../../ops/computed.ts';
import type { DictionaryVariables, Encoder, FusedKernels, GradientRequest } from '../../ops/fusedKernels.ts';
import type { DenseEntries, SparseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import { hostBatches } from './hostBatches.ts';
import { measuredDenseAbove } from './measuredDenseAbove.ts';
import type { NativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';
import type { Dictionary, Encoder as EncoderArguments, Term, Update } from './nativeFunctions.ts';
import { ownOfLargestBy } from './ownOfLargest.ts';
import { writable } from './pointers.ts';
import { topKBy } from './topK.ts';

/** The share of firing latents is estimated from this many rows of a batch, whose pre-activations that costs. */
const sampledRows = 64;

/** By how much lower than the expected least activation the search for the largest of a batch begins: between batches it varies less. */
const below = 0.9;

export interface FusedOptions {
  /** Find candidates by a product of 16-bit integers first (screening.h): the same result to the bit, sooner. */
  screening: 'never' | 'whereItPays' | 'always';
  /** The share of firing latents above which the dense path is taken: −1 forces it, and 1 the sparse one. */
  denseAbove: number | 'measured';
}

export const fusedDefaults: FusedOptions = { screening: 'whereItPays', denseAbove: 'measured' };
export const screenings = ['never', 'whereItPays', 'always'] as const;

/** `options` may change between calls: each call reads them again. */
export function nativeFusedKernels(
  backend: NativeBackend,
  library: NativeLibrary,
  options: FusedOptions = fusedDefaults,
): FusedKernels {
  const call = library.functions;
  const screening = () => screenings.indexOf(options.screening);
  const floats = (tensor: Tensor) => backend.floats(tensor);
  const maybe = (tensor: Tensor | null) => tensor && floats(tensor);
  const integers = (tensor: Tensor) => backend.integers(tensor);
  const made = <T extends Tensor>(info: Parameters<typeof toTensor>[0]) => toTensor(info) as T;
  function output<T extends Tensor>(shape: number[], roomy = false) {
    const { info, values } = backend.output(shape, 'float32', roomy);
    return { tensor: made<T>(info), values };
  }
  function list(rows: number, latents: number, count: number) {
    const rowStart = backend.output([rows + 1], 'int32');
    const indices = backend.output([count], 'int32', true);
    const values = backend.output([count], 'float32', true);
    const entries: SparseEntries = {
      kind: 'sparse',
      rows,
      latents,
      rowStart: made<Tensor1D>(rowStart.info),
      indices: made<Tensor1D>(indices.info),
      values: made<Tensor1D>(values.info),
    };
    return { entries, rowStart: rowStart.values, indices: indices.values, values: values.values };
  }
  const encoderOf = (x: Tensor2D, { wEnc, bEnc, centre }: Encoder, rows = x.shape[0]): EncoderArguments => ({
    x: floats(x),
    centre: maybe(centre),
    w: floats(wEnc),
    b: floats(bEnc),
    rows,
    d: x.shape[1],
    latents: wEnc.shape[0],
  });
  const topK = topKBy({ call, encoderOf, list, screening });
  /** Bars to try one after another until enough pre-activations exceed one: near what is expected, then judged by the first rows, then 0. */
  function* bars(x: Tensor2D, encoder: Encoder, share: number, near: number): Generator<number> {
    if (near > 0) yield below * near;
    const [latents] = encoder.wEnc.shape;
    const sample = Math.min(x.shape[0], sampledRows);
    const z = writable(new Float32Array(sample * latents));
    call.denseEncode(encoderOf(x, encoder, sample), z);
    const sorted = z.filter(Number.isFinite).sort();
    const sampled = below * (sorted.at(-Math.ceil(share * z.length) - 1) ?? 0);
    if (sampled > 0) {
      yield sampled;
      yield sampled / 2;
    }
    yield 0;
  }
  /** Variables are changed in place. */
  const dictionaryOf = (from: DictionaryVariables): Dictionary => ({
    wEnc: writable(floats(from.wEnc)),
    bEnc: writable(floats(from.bEnc)),
    wDec: writable(floats(from.wDec)),
    bDec: writable(floats(from.bDec)),
    logThreshold: from.logThreshold && writable(floats(from.logThreshold)),
    rMag: from.rMag ? writable(floats(from.rMag)) : null,
    bMag: from.bMag ? writable(floats(from.bMag)) : null,
  });

  interface Step {
    writeGradient: boolean;
    first: Dictionary;
    second: Dictionary | null;
    adam: Pick<Update, 'rate' | 'beta1' | 'beta2' | 'epsilon' | 'root' | 'clip' | 'unitNorm'>;
  }

  function run(request: GradientRequest, { writeGradient, first, second, adam }: Step) {
    const { parameters, x, main, auxiliary, jump, gate } = request;
    const [rows, d] = x.shape;
    const update: Update = {
      latents: main.entries.latents,
      d,
      outputs: parameters.bDec.shape[0],
      rows,
      writeGradient: Number(writeGradient),
      scale: hostNumber(main.scale),
      auxScale: hostNumber(auxiliary?.scale ?? 0),
      l1: request.l1,
      bandwidth: jump?.bandwidth ?? 0,
      l0Gradient: hostNumber(jump?.l0Gradient ?? 0),
      ...adam,
      subtractsDecoderBias: Number(request.subtractsDecoderBias),
      parameters: dictionaryOf(parameters),
      first,
      second,
      x: floats(x),
      threshold: maybe(jump?.threshold ?? null),
      gate: gate
        ? {
            values: floats(gate.entries.values),
            dots: floats(gate.dots),
            gain: floats(gate.gain),
            scale: gate.scale,
            l1: gate.l1,
          }
        : null,
      prefixes: main.prefixes ?? null,
      prefixCount: main.prefixes?.length ?? 0,
      blocks: request.blocks ?? null,
      blockCount: request.blocks?.length ?? 0,
    };
    if (main.entries.kind === 'dense') {
      if (auxiliary) throw new Error('An auxiliary term needs its main term as a list.');
      // The update overwrites both; a request for the gradient must leave them as they are.
      const own = (tensor: Tensor) => writable(writeGradient ? floats(tensor).slice() : floats(tensor));
      call.denseUpdate(update, own(main.entries.values), own(main.dots), floats(main.error));
      return;
    }
    const term = ({ rowStart, indices, values }: SparseEntries, dots: Tensor, error: Tensor): Term => ({
      rowStart: integers(rowStart),
      indices: integers(indices),
      values: floats(values),
      dots: floats(dots),
      error: floats(error),
    });
    call.sparseUpdate(
      update,
      term(main.entries, main.dots, main.error),
      auxiliary?.entries.kind === 'sparse' ? term(auxiliary.entries, auxiliary.dots, auxiliary.error) : null,
    );
  }

  return {
    backend: 'native',

    scaledBatch(values, d, scale) {
      const rows = values.length / d;
      const variance = call.scaledBatch(writable(values), rows, d, scale);
      return { x: tf.tensor2d(values, [rows, d]), variance };
    },

    hostBatch: hostBatches(backend, library),

    // Multiplying by 1 leaves the tensor as it is.
    varianceAboutMean: (x) => call.scaledBatch(writable(floats(x)), x.shape[0], x.shape[1], 1),

    topKEncode: (x, encoder, k, among) => topK(x, encoder, k, { among }),
    topKEncodeOfMany: topK,

    batchTopKEncode(x, encoder, { count, near = 0 }) {
      const [rows] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const from = encoderOf(x, encoder);
      const theta = new Float32Array(latents);
      const listAbove = (bar: number) => {
        theta.fill(bar);
        const expected = Math.ceil((2 * count) / rows);
        return call.thresholdEncode(from, theta, 0, rows * latents, expected, screening());
      };
      // Lists all that exceeds a bar which is likely to be a little too low, and takes the largest of it.
      let found = 0;
      for (const bar of bars(x, encoder, count / (rows * latents), near)) {
        found = listAbove(bar);
        if (found >= count) break;
      }
      const { entries, rowStart, indices, values } = list(rows, latents, Math.min(found, count));
      return { entries, least: call.largestTake(rows, count, rowStart, indices, values) };
    },

    thresholdEncode(x, encoder, { threshold, bandwidth }) {
      const [rows, d] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const denseAbove =
        options.denseAbove === 'measured' ? measuredDenseAbove(d, latents) : options.denseAbove;
      const theta = maybe(threshold);
      const from = encoderOf(x, encoder);
      const sample = Math.min(rows, sampledRows);
      const limit = Math.ceil(denseAbove * rows * latents);
      const sampled = call.thresholdCount(encoderOf(x, encoder, sample), theta, bandwidth);
      // The list may hold more than the sample promised; past twice the limit the matrix takes over after all.
      const expected = Math.ceil(sampled / sample);
      const count =
        sampled > denseAbove * sample * latents
          ? -1
          : call.thresholdEncode(from, theta, bandwidth, 2 * limit, expected, screening());
      if (count >= 0) {
        const { entries, rowStart, indices, values } = list(rows, latents, count);
        call.thresholdTake(rows, rowStart, indices, values);
        return entries;
      }
      const z = output<Tensor2D>([rows, latents]);
      call.denseEncode(from, z.values);
      return { kind: 'dense', rows, latents, values: z.tensor } satisfies DenseEntries;
    },

    sparseDecode({ rows, rowStart, indices, values }, w) {
      const out = output<Tensor2D>([rows, w.shape[1]]);
      call.sparseDecode(
        integers(rowStart),
        integers(indices),
        floats(values),
        floats(w),
        rows,
        w.shape[1],
        out.values,
      );
      return out.tensor;
    },

    sparseDots({ rows, rowStart, indices, latents }, g, w) {
      const [d, out] = [w.shape[1], output<Tensor1D>([indices.shape[0]], true)];
      const [starts, places] = [integers(rowStart), integers(indices)];
      call.sparseDots(starts, places, floats(g), floats(w), rows, d, latents, out.values);
      return out.tensor;
    },

    sparseOuter({ rows, rowStart, indices, values, latents }, g) {
      const d = g.shape[1];
      const out = output<Tensor2D>([latents, d]);
      call.sparseOuter(
        integers(rowStart),
        integers(indices),
        floats(values),
        floats(g),
        rows,
        d,
        latents,
        out.values,
      );
      return out.tensor;
    },

    firings(entries, threshold) {
      const counts = writable(new Int32Array(entries.latents));
      const sums = writable(new Float32Array(entries.latents));
      const [values, theta] = [floats(entries.values), maybe(threshold)];
      if (entries.kind === 'dense')
        call.denseFirings(values, theta, entries.rows, entries.latents, counts, sums);
      else
        call.sparseFirings(
          integers(entries.indices),
          values,
          theta,
          values.length,
          entries.latents,
          counts,
          sums,
        );
      return { counts, sums };
    },

    reconstruct(entries, threshold, { wDec, bias }, target) {
      const [rows, d] = target.shape;
      const error = output<Tensor2D>([rows, d]);
      const dots = output<Tensor1D | Tensor2D>(entries.values.shape, entries.kind === 'sparse');
      const reconstruction = {
        values: floats(entries.values),
        threshold: maybe(threshold),
        w: floats(wDec),
        bias: maybe(bias),
        target: floats(target),
        rows,
        d,
        latents: entries.latents,
        error: error.values,
        dots: dots.values,
      };
      const squaredError =
        entries.kind === 'dense'
          ? call.denseReconstruct(reconstruction)
          : call.sparseReconstruct(integers(entries.rowStart), integers(entries.indices), reconstruction);
      return { error: error.tensor, dots: dots.tensor, squaredError };
    },

    reconstructNested(entries, prefixes, { wDec, bias }, target) {
      const [rows, d] = target.shape;
      const errors = output<Tensor2D>([prefixes.length * rows, d]);
      const dots = output<Tensor1D>(entries.values.shape, true);
      const nestedError = call.nestedReconstruct(
        integers(entries.rowStart),
        integers(entries.indices),
        prefixes,
        prefixes.length,
        {
          values: floats(entries.values),
          threshold: null,
          w: floats(wDec),
          bias: floats(bias),
          target: floats(target),
          rows,
          d,
          latents: entries.latents,
          error: errors.values,
          dots: dots.values,
        },
      );
      const last = floats(errors.tensor).subarray((prefixes.length - 1) * rows * d);
      const squaredError = call.sumOfSquares(last, rows * d);
      return { errors: errors.tensor, dots: dots.tensor, nestedError, squaredError };
    },

    gradients(request) {
      const { wEnc, bEnc, wDec, bDec, logThreshold, rMag, bMag } = request.parameters;
      const like = <T extends Tensor>({ shape }: Tensor) => output<T>(shape);
      const ifThere = (vector: Tensor | null | undefined) => (vector ? like<Tensor1D>(vector) : null);
      const gradient = {
        wEnc: like<Tensor2D>(wEnc),
        bEnc: like<Tensor1D>(bEnc),
        wDec: like<Tensor2D>(wDec),
        bDec: like<Tensor1D>(bDec),
        logThreshold: ifThere(logThreshold),
        rMag: ifThere(rMag),
        bMag: ifThere(bMag),
      };
      run(request, {
        writeGradient: true,
        first: {
          wEnc: gradient.wEnc.values,
          bEnc: gradient.bEnc.values,
          wDec: gradient.wDec.values,
          bDec: gradient.bDec.values,
          logThreshold: gradient.logThreshold?.values ?? null,
          rMag: gradient.rMag?.values ?? null,
          bMag: gradient.bMag?.values ?? null,
        },
        second: null,
        adam: { rate: 0, beta1: 0, beta2: 0, epsilon: 1, root: 0, clip: 0, unitNorm: 0 },
      });
      return {
        wEnc: gradient.wEnc.tensor,
        bEnc: gradient.bEnc.tensor,
        wDec: gradient.wDec.tensor,
        bDec: gradient.bDec.tensor,
        logThreshold: gradient.logThreshold?.tensor ?? null,
        rMag: gradient.rMag?.tensor ?? null,
        bMag: gradient.bMag?.tensor ?? null,
      };
    },

    ownOfLargest: ownOfLargestBy(library),

    update(
      request,
      { first, second },
      { learningRate, beta1, beta2, epsilon, step, clipNorm, unitNormDecoder },
    ) {
      run(request, {
        writeGradient: false,
        first: dictionaryOf(first),
        second: dictionaryOf(second),
        adam: {
          rate: learningRate / (1 - beta1 ** step),
          beta1,
          beta2,
          epsilon,
          root: 1 / Math.sqrt(1 - beta2 ** step),
          clip: clipNorm ?? 0,
          unitNorm: Number(unitNormDecoder),
        },
      });
    },
  } satisfies FusedKernels;
}

function toTensor(info: ReturnType<NativeBackend['output']>['info']): Tensor {
  return tf.engine().makeTensorFromTensorInfo(info);
}
