/**
 * The fused kernels of sae/ops on the native backend: C++ on the memory behind the tensors. Parameters and moments
 * are changed in place; z [batch, latents] exists only on the dense path, gradients only there and for tests.
 */
import { hostNumber } from '../../ops/computed.ts';
import type { DictionaryVariables, Encoder, FusedKernels, GradientRequest } from '../../ops/fusedKernels.ts';
import type { DenseEntries, SparseEntries } from '../../ops/sparseEntries.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../tensor/tf.ts';
import type { NativeLibrary } from './library.ts';
import type { NativeBackend } from './nativeBackend.ts';

type Floats = Float32Array | null;
type Integers = Int32Array | null;

/**
 * The share of firing latents above which the dense path is faster. A list's cost is that of visiting a row of the
 * dictionary for each entry, which grows when the dictionary leaves the cache. Measured with `bench train --arch relu
 * --l0 N --path sparse|dense`, batch 2,048, 2 Zen 3 cores, ms a step:
 *
 * | d, latents | share | list | matrix |
 * |---|---|---|---|
 * | 128, 1,024 | 10 % | 17 | 27 |
 * | 128, 1,024 | 20 % | 29 | 28 |
 * | 768, 12,288 | 10 % | 1,010 | 1,257 |
 * | 768, 12,288 | 20 % | 1.5 times the matrix | |
 */
function measuredDenseAbove(d: number, latents: number): number {
  return d * latents <= 2 ** 21 ? 0.19 : 0.13;
}
/** Rows from which the share is estimated, at a cost of that many rows of the product. */
const sampledRows = 64;

export interface FusedOptions {
  /** Find candidates by a product of 16-bit integers first (screening.h): the same result to the bit, sooner. */
  screening: 'never' | 'whereItPays' | 'always';
  /** The share of firing latents above which the dense path is taken: −1 forces it, and 1 the sparse one. */
  denseAbove: number | 'measured';
}

export const fusedDefaults: FusedOptions = { screening: 'whereItPays', denseAbove: 'measured' };
export const screenings = ['never', 'whereItPays', 'always'] as const;

/** `options` are looked at in each call. */
export function nativeFusedKernels(
  backend: NativeBackend,
  library: NativeLibrary,
  options: FusedOptions = fusedDefaults,
): FusedKernels {
  const call = bindFunctions(library);
  const screening = () => screenings.indexOf(options.screening);
  const floats = (tensor: Tensor) => backend.values(tensor) as Float32Array;
  const maybe = (tensor: Tensor | null): Floats => tensor && floats(tensor);
  const integers = (tensor: Tensor) => backend.values(tensor) as Int32Array;
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
  const encoderArrays = ({ wEnc, bEnc, centre }: Encoder) =>
    [maybe(centre), floats(wEnc), floats(bEnc)] as const;
  const dictionary = (from: DictionaryVariables) =>
    [from.wEnc, from.bEnc, from.wDec, from.bDec, from.logThreshold].map(maybe);

  function settings({ main, auxiliary, l1, jump, subtractsDecoderBias }: GradientRequest, adam: number[]) {
    const scales = [main.scale, auxiliary?.scale ?? 0].map(hostNumber);
    const terms = [...scales, l1, jump?.bandwidth ?? 0, hostNumber(jump?.l0Gradient ?? 0)];
    const [rate, beta1, beta2, epsilon, root, clip, unitNorm] = adam;
    return Float64Array.of(
      ...terms,
      rate,
      beta1,
      beta2,
      epsilon,
      root,
      clip,
      Number(subtractsDecoderBias),
      unitNorm,
    );
  }

  function run(request: GradientRequest, write: boolean, first: Floats[], second: Floats[], adam: number[]) {
    const { parameters, x, main, auxiliary, jump } = request;
    const [rows, d] = x.shape;
    const shared = [main.entries.latents, d, rows, Number(write), settings(request, adam)] as const;
    const arrays = [
      ...dictionary(parameters),
      ...first,
      ...second,
      floats(x),
      maybe(jump?.threshold ?? null),
    ];
    if (main.entries.kind === 'dense') {
      if (auxiliary) throw new Error('An auxiliary term needs its main term as a list.');
      // The update overwrites both; a request for the gradient must leave them as they are.
      const own = (tensor: Tensor) => (write ? floats(tensor).slice() : floats(tensor));
      call.denseUpdate(...shared, ...arrays, own(main.entries.values), own(main.dots), floats(main.error));
      return;
    }
    const aux = auxiliary?.entries.kind === 'sparse' ? auxiliary : null;
    const auxEntries = aux && (aux.entries as SparseEntries);
    call.sparseUpdate(
      ...shared,
      ...arrays,
      integers(main.entries.rowStart),
      integers(main.entries.indices),
      floats(main.entries.values),
      floats(main.dots),
      floats(main.error),
      auxEntries && integers(auxEntries.rowStart),
      auxEntries && integers(auxEntries.indices),
      auxEntries && floats(auxEntries.values),
      aux && floats(aux.dots),
      aux && floats(aux.error),
    );
  }

  return {
    backend: 'native',

    scaledBatch(values, d, scale) {
      const rows = values.length / d;
      const variance = call.scaledBatch(values, rows, d, scale);
      return { x: tf.tensor2d(values, [rows, d]), variance };
    },

    // Multiplying by 1 leaves the tensor as it is.
    varianceAboutMean: (x) => call.scaledBatch(floats(x), x.shape[0], x.shape[1], 1),

    topKEncode(x, encoder, k, among) {
      const [rows, d] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const { entries, rowStart, indices, values } = list(rows, latents, rows * k);
      for (let row = 0; row <= rows; row++) rowStart[row] = row * k;
      const chosen: Integers = among ?? null;
      call.topKEncode(
        floats(x), ...encoderArrays(encoder), chosen, among?.length ?? 0, rows, d, latents, k, screening(), indices, values,
      ); // prettier-ignore
      return entries;
    },

    thresholdEncode(x, encoder, { threshold, bandwidth }) {
      const [rows, d] = x.shape;
      const [latents] = encoder.wEnc.shape;
      const denseAbove =
        options.denseAbove === 'measured' ? measuredDenseAbove(d, latents) : options.denseAbove;
      const theta = maybe(threshold);
      const from = [floats(x), ...encoderArrays(encoder)] as const;
      const sample = Math.min(rows, sampledRows);
      const limit = Math.ceil(denseAbove * rows * latents);
      const sampled = call.thresholdCount(...from, theta, bandwidth, sample, d, latents);
      // The list may hold more than the sample promised; past twice the limit the matrix takes over after all.
      const count =
        sampled > denseAbove * sample * latents
          ? -1
          : call.thresholdEncode(
              ...from,
              theta,
              bandwidth,
              rows,
              d,
              latents,
              2 * limit,
              Math.ceil(sampled / sample),
              screening(),
            );
      if (count >= 0) {
        const { entries, rowStart, indices, values } = list(rows, latents, count);
        call.thresholdTake(rows, rowStart, indices, values);
        return entries;
      }
      const z = output<Tensor2D>([rows, latents]);
      call.denseEncode(...from, rows, d, latents, z.values);
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

    sparseDots({ rows, rowStart, indices }, g, w) {
      const out = output<Tensor1D>([indices.shape[0]], true);
      call.sparseDots(
        integers(rowStart),
        integers(indices),
        floats(g),
        floats(w),
        rows,
        w.shape[1],
        out.values,
      );
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
      const counts = new Int32Array(entries.latents);
      const sums = new Float32Array(entries.latents);
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
      const common = [floats(entries.values), maybe(threshold), floats(wDec), maybe(bias), floats(target), rows, d, entries.latents] as const; // prettier-ignore
      const squaredError =
        entries.kind === 'dense'
          ? call.denseReconstruct(...common, error.values, dots.values)
          : call.sparseReconstruct(
              integers(entries.rowStart), integers(entries.indices), ...common, error.values, dots.values,
            ); // prettier-ignore
      return { error: error.tensor, dots: dots.tensor, squaredError };
    },

    gradients(request) {
      const { wEnc, bEnc, wDec, bDec, logThreshold } = request.parameters;
      const like = (tensor: Tensor) => output<Tensor>(tensor.shape);
      const out = [wEnc, bEnc, wDec, bDec].map(like);
      const theta = logThreshold && like(logThreshold);
      const first = [...out.map(({ values }) => values), theta && theta.values];
      run(request, true, first, [null, null, null, null, null], [0, 0, 0, 1, 0, 0, 0]);
      return {
        wEnc: out[0].tensor as Tensor2D,
        bEnc: out[1].tensor as Tensor1D,
        wDec: out[2].tensor as Tensor2D,
        bDec: out[3].tensor as Tensor1D,
        logThreshold: theta && (theta.tensor as Tensor1D),
      };
    },

    update(
      request,
      { first, second },
      { learningRate, beta1, beta2, epsilon, step, clipNorm, unitNormDecoder },
    ) {
      const adam = [
        learningRate / (1 - beta1 ** step),
        beta1,
        beta2,
        epsilon,
        1 / Math.sqrt(1 - beta2 ** step),
        clipNorm ?? 0,
        Number(unitNormDecoder),
      ];
      run(request, false, dictionary(first), dictionary(second), adam);
    },
  } satisfies FusedKernels;
}

function toTensor(info: ReturnType<NativeBackend['output']>['info']): Tensor {
  return tf.engine().makeTensorFromTensorInfo(info);
}

function bindFunctions(library: NativeLibrary) {
  const entries = 'const int32_t* row_start, const int32_t* indices';
  const encoder = 'const float* x, const float* centre, const float* w, const float* b';
  const five = (prefix: string) =>
    ['w_enc', 'b_enc', 'w_dec', 'b_dec', 'log_threshold'].map((name) => `float* ${prefix}${name}`).join(', ');
  const update = `int64_t latents, int64_t d, int64_t rows, int32_t write, const double* settings, ${five('')}, ${five('m_')}, ${five('v_')}, const float* x, const float* threshold`;
  type Update = [number, number, number, number, Float64Array, ...(Floats | Integers)[]];
  type EncoderArgs = [Floats, Floats, Floats, Floats];
  return {
    scaledBatch: library.bind<[Floats, number, number, number], number>(
      'double lazyscope_scaled_batch(float* x, int64_t rows, int64_t d, float scale)',
    ),
    topKEncode: library.bind<
      [...EncoderArgs, Integers, number, number, number, number, number, number, Integers, Floats]
    >(
      `void lazyscope_topk_encode(${encoder}, const int32_t* among, int64_t among_count, int64_t rows, int64_t d, int64_t latents, int64_t k, int32_t screening, int32_t* indices, float* values)`,
    ),
    thresholdCount: library.bind<[...EncoderArgs, Floats, number, number, number, number], number>(
      `int64_t lazyscope_threshold_count(${encoder}, const float* threshold, float bandwidth, int64_t rows, int64_t d, int64_t latents)`,
    ),
    thresholdEncode: library.bind<
      [...EncoderArgs, Floats, number, number, number, number, number, number, number],
      number
    >(
      `int64_t lazyscope_threshold_encode(${encoder}, const float* threshold, float bandwidth, int64_t rows, int64_t d, int64_t latents, int64_t limit, int64_t expected, int32_t screening)`,
    ),
    thresholdTake: library.bind<[number, Integers, Integers, Floats]>(
      'void lazyscope_threshold_take(int64_t rows, int32_t* row_start, int32_t* indices, float* values)',
    ),
    denseEncode: library.bind<[...EncoderArgs, number, number, number, Floats]>(
      `void lazyscope_dense_encode(${encoder}, int64_t rows, int64_t d, int64_t latents, float* z)`,
    ),
    sparseDecode: library.bind<[Integers, Integers, Floats, Floats, number, number, Floats]>(
      `void lazyscope_sparse_decode(${entries}, const float* values, const float* w, int64_t rows, int64_t d, float* out)`,
    ),
    sparseDots: library.bind<[Integers, Integers, Floats, Floats, number, number, Floats]>(
      `void lazyscope_sparse_dots(${entries}, const float* g, const float* w, int64_t rows, int64_t d, float* out)`,
    ),
    sparseOuter: library.bind<[Integers, Integers, Floats, Floats, number, number, number, Floats]>(
      `void lazyscope_sparse_outer(${entries}, const float* values, const float* g, int64_t rows, int64_t d, int64_t latents, float* out)`,
    ),
    sparseFirings: library.bind<[Integers, Floats, Floats, number, number, Integers, Floats]>(
      'void lazyscope_sparse_firings(const int32_t* indices, const float* values, const float* threshold, int64_t entries, int64_t latents, int32_t* counts, float* sums)',
    ),
    denseFirings: library.bind<[Floats, Floats, number, number, Integers, Floats]>(
      'void lazyscope_dense_firings(const float* z, const float* threshold, int64_t rows, int64_t latents, int32_t* counts, float* sums)',
    ),
    sparseReconstruct: library.bind<
      [Integers, Integers, Floats, Floats, Floats, Floats, Floats, number, number, number, Floats, Floats],
      number
    >(
      `double lazyscope_sparse_reconstruct(${entries}, const float* values, const float* threshold, const float* w, const float* bias, const float* target, int64_t rows, int64_t d, int64_t latents, float* error, float* dots)`,
    ),
    denseReconstruct: library.bind<
      [Floats, Floats, Floats, Floats, Floats, number, number, number, Floats, Floats],
      number
    >(
      'double lazyscope_dense_reconstruct(const float* z, const float* threshold, const float* w, const float* bias, const float* target, int64_t rows, int64_t d, int64_t latents, float* error, float* dots)',
    ),
    sparseUpdate: library.bind<Update>(
      `void lazyscope_sparse_update(${update}, ${entries}, const float* values, const float* dots, const float* error, const int32_t* aux_row_start, const int32_t* aux_indices, const float* aux_values, const float* aux_dots, const float* aux_error)`,
    ),
    denseUpdate: library.bind<Update>(
      `void lazyscope_dense_update(${update}, float* z, float* dots, const float* error)`,
    ),
  };
}
