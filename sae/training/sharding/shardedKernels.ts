/**
 * Fused kernels for a dictionary whose latents are spread over processes (docs/SCALE.md). Every process sees the whole batch and
 * holds W_enc, b_enc, W_dec, thresholds and their moments for its share of the latents; b_dec is the same in all. What a kernel says of
 * latents (`firings`) or of rows (`reconstruct`) is of the whole dictionary; lists and matrices are of the share. So an
 * architecture's forward pass, written for whole dictionaries, runs as it is.
 *
 * A step of TopK sends, to each process, the candidates of all others (at most batch · k · (size − 1) floats), two partial sums of the
 * reconstruction (2 · batch · d · (size − 1)/size), the firing counts, and b_dec.
 */
import { LazyscopeError } from '../../errors.ts';
import { hostNumber } from '../../ops/computed.ts';
import type {
  AdamSettings,
  DictionaryVariables,
  Encoder,
  FusedKernels,
  GradientRequest,
  LossTerm,
  SharedChoice,
} from '../../ops/fusedKernels.ts';
import { kernelParameters } from '../../ops/kernelParameters.ts';
import { latentShares, placesIn } from '../../ops/latentShares.ts';
import { likelyReach } from '../../ops/likelyReach.ts';
import { disposeEntries, type Entries, type SparseEntries, sparseEntries } from '../../ops/sparseEntries.ts';
import { sumOfSquares } from '../../ops/sumOfSquares.ts';
import { tf, type Tensor1D, type Tensor2D, type Variable } from '../../tensor/tf.ts';
import { type Communicator, leastOfAll, sumInPlace, sumOfNumbers } from './communicator.ts';
import type { EntryList } from '../../ops/candidates.ts';
import { SummedErrors } from './summedErrors.ts';
import { barOfBatch, ownAboveBar, ownOfLargest, tiesOfRows } from './ownOfLargest.ts';

/** `inner` are kernels that compute in host memory; `width` is the number of latents of all processes. */
export function shardedKernels(inner: FusedKernels, communicator: Communicator, width: number): FusedKernels {
  const { rank, size } = communicator;
  const shares = latentShares(width, size);
  const share = shares[rank];
  const latents = share.end - share.begin;
  /** How many candidates each process sends, where the likely number was too small. */
  const reaches = new Map<string, number>();
  const errors = new SummedErrors(communicator);
  /** Memory for the candidates of all processes, used again by the next choice: fresh memory costs as much as what is done with it. */
  let candidatesOfAll = new Float32Array(0);
  function ofAllProcesses(length: number): Float32Array {
    if (candidatesOfAll.length < length) candidatesOfAll = new Float32Array(length);
    return candidatesOfAll.subarray(0, length);
  }
  const choose = inner.ownOfLargest?.bind(inner) ?? ownOfLargest;
  const widest = Math.max(...shares.map(({ begin, end }) => end - begin));

  /** A vector of all latents from each process's part of it. */
  function ofAll<Values extends Float32Array | Int32Array>(
    own: Values,
    make: (length: number) => Values,
  ): Values {
    const padded = make(widest);
    padded.set(own);
    const all = make(widest * size);
    communicator.allGather(padded, all);
    const whole = make(width);
    shares.forEach(({ begin, end }, r) =>
      whole.set(all.subarray(r * widest, r * widest + end - begin), begin),
    );
    return whole;
  }

  /**
   * The gradient of b_dec from what the kernels of each share make of it: scale · Σ_b error_b, which all have, and where the encoder sees
   * x − b_dec a part from each latent.
   */
  function decoderBiasGradient({ main, subtractsDecoderBias }: GradientRequest, own: Float32Array) {
    if (!subtractsDecoderBias) return own;
    const scale = hostNumber(main.scale);
    const common = tf.tidy(() => main.error.sum(0).mul(scale).dataSync<'float32'>());
    const ofLatents = own.map((value, i) => value - common[i]);
    sumInPlace(communicator, ofLatents);
    return ofLatents.map((value, i) => value + common[i]);
  }

  /** By how much a gradient is scaled that may not be longer than `clipNorm` over all parameters of all processes. */
  function clipScale(request: GradientRequest, clipNorm: number): number {
    const gradients = inner.gradients(request);
    let squares = 0;
    for (const name of kernelParameters)
      if (name !== 'bDec') squares += sumOfSquares(gradients[name]?.dataSync<'float32'>() ?? []);
    const bias = decoderBiasGradient(request, gradients.bDec.dataSync<'float32'>());
    for (const name of kernelParameters) gradients[name]?.dispose();
    return Math.min(1, clipNorm / Math.sqrt(sumOfNumbers(communicator, squares) + sumOfSquares(bias)));
  }

  return {
    backend: inner.backend,
    scaledBatch: (values, d, scale) => inner.scaledBatch(values, d, scale),
    ...(inner.hostBatch && { hostBatch: inner.hostBatch }),
    varianceAboutMean: (x) => inner.varianceAboutMean(x),
    ofAllLatents: (vector) =>
      tf.tensor1d(ofAll(Float32Array.from(vector.dataSync()), (length) => new Float32Array(length))),

    topKEncode(x, encoder, k, among) {
      const ownAmong = among && placesIn(share, among);
      // Chosen among all latents and among dead ones, the largest may be spread differently.
      const choice = `${k} ${among ? 'of some' : 'of all'}`;
      // Where each process has its part of k latents that reach a bar, the k largest of all reach the lowest of these bars.
      const shared: SharedChoice = {
        part: Math.ceil(k / size),
        agree: (sure) => leastOfAll(communicator, sure),
      };
      for (;;) {
        const each = reaches.get(choice) ?? likelyReach(k, size);
        const own = ownCandidates(inner, x, encoder, each, { among: ownAmong, shared });
        const candidates = valuesOfRows(own, each);
        const all = ofAllProcesses(size * candidates.length);
        communicator.allGather(candidates, all);
        const kept = choose(own, { all, rank, k, each });
        if (kept) return sparseEntries(latents, kept.rowStart, kept.indices, kept.values);
        // All processes see the same candidates, and so come here together.
        reaches.set(choice, Math.min(k, 2 * each));
      }
    },

    batchTopKEncode(x, encoder, selection) {
      const choice = inner.batchTopKEncode(x, encoder, selection);
      const own = onHost(choice.entries);
      disposeEntries(choice.entries);
      const counts = new Int32Array(size);
      communicator.allGather(Int32Array.of(own.values.length), counts);
      const most = counts.reduce((a, b) => Math.max(a, b), 0);
      const padded = new Float32Array(most);
      padded.set(own.values);
      const every = new Float32Array(most * size);
      communicator.allGather(padded, every);
      // What pads a list is 0, and what is listed is positive.
      const values = every.filter((value) => value !== 0);
      const bar = barOfBatch(values, selection.count);
      const rows = own.rowStart.length - 1;
      const ties = new Int32Array(size * rows);
      communicator.allGather(tiesOfRows(own, bar.bar), ties);
      const kept = ownAboveBar(own, bar, ties, rank);
      return {
        entries: sparseEntries(latents, kept.rowStart, kept.indices, kept.values),
        least: bar.bar > 0 ? bar.bar : values.reduce((a, b) => Math.min(a, b), values[0] ?? 0),
      };
    },

    thresholdEncode: (x, encoder, selection) => inner.thresholdEncode(x, encoder, selection),

    sparseDecode(entries, w) {
      const part = inner.sparseDecode(entries, w);
      const sum = Float32Array.from(part.dataSync());
      part.dispose();
      sumInPlace(communicator, sum);
      return tf.tensor2d(sum, [entries.rows, w.shape[1]]);
    },
    sparseDots: (pattern, g, w) => inner.sparseDots(pattern, g, w),
    sparseOuter: (entries, g) => inner.sparseOuter(entries, g),

    firings(entries, threshold) {
      const { counts, sums } = inner.firings(entries, threshold);
      if (!(counts instanceof Int32Array) || !(sums instanceof Float32Array))
        throw new TypeError('Latents are spread over processes where kernels compute in host memory.');
      return {
        counts: ofAll(counts, (length) => new Int32Array(length)),
        sums: ofAll(sums, (length) => new Float32Array(length)),
      };
    },

    reconstruct(entries, threshold, { wDec, bias }, target) {
      const [rows, d] = target.shape;
      const part = decoded(inner, entries, threshold, wDec, target);
      const [goal, offset] = [target.dataSync<'float32'>(), bias?.dataSync<'float32'>() ?? null];
      const { error: values, squaredError } = errors.of(part, goal, offset, rows);
      const error = tf.tensor2d(values, [rows, d]);
      const dots =
        entries.kind === 'dense'
          ? tf.matMul(error, wDec, false, true)
          : inner.sparseDots(entries, error, wDec);
      return { error, dots: dots as Tensor1D | Tensor2D, squaredError };
    },

    reconstructNested() {
      throw new LazyscopeError(
        'bad_input',
        'Nested reconstructions are not spread over processes: leave --mpi out.',
      );
    },

    gradients(request) {
      const gradients = inner.gradients(request);
      const own = gradients.bDec.dataSync<'float32'>();
      gradients.bDec.dispose();
      return { ...gradients, bDec: tf.tensor1d(decoderBiasGradient(request, own)) };
    },

    update(request, moments, adam) {
      const { bDec } = request.parameters;
      const clip = adam.clipNorm === null ? 1 : clipScale(request, adam.clipNorm);
      const clipped = scaled(request, clip);
      // The share's kernel takes its step on a copy of b_dec, which is thrown away. Adam's first moment of one that began
      // at 0 is then 1 − β1 times the gradient.
      const copy = tf.variable(tf.tensor1d(bDec.dataSync<'float32'>().slice()), false);
      const zeros = [0, 1].map(() => tf.variable(tf.zeros(bDec.shape), false));
      inner.update(
        { ...clipped, parameters: { ...request.parameters, bDec: copy } },
        { first: { ...moments.first, bDec: zeros[0] }, second: { ...moments.second, bDec: zeros[1] } },
        { ...adam, clipNorm: null },
      );
      const own = zeros[0].dataSync<'float32'>().map((moment) => moment / (1 - adam.beta1));
      for (const variable of [copy, ...zeros]) variable.dispose();
      adamStep(request.parameters, moments, decoderBiasGradient(clipped, own), adam);
      // Processors of different kinds may round sums differently; b_dec must stay the same everywhere.
      broadcastValues(communicator, [bDec, moments.first.bDec, moments.second.bDec]);
    },
  };
}

/** The k largest of the share, fewer where it has fewer latents. Those that can't be among the largest of all processes may be left out. */
function ownCandidates(
  inner: FusedKernels,
  x: Tensor2D,
  encoder: Encoder,
  k: number,
  { among, shared }: { among: Int32Array | undefined; shared: SharedChoice },
): EntryList {
  const [rows] = x.shape;
  const most = Math.min(k, among?.length ?? encoder.wEnc.shape[0]);
  if (most > 0 && inner.topKEncodeOfMany) {
    const entries = inner.topKEncodeOfMany(x, encoder, most, { among, shared });
    const own = onHost(entries);
    disposeEntries(entries);
    return own;
  }
  // The others ask.
  shared.agree(new Float32Array(rows));
  if (most === 0)
    return {
      rowStart: new Int32Array(rows + 1),
      indices: new Int32Array(0),
      values: new Float32Array(0),
    };
  const entries = inner.topKEncode(x, encoder, most, among);
  const own = onHost(entries);
  disposeEntries(entries);
  return own;
}

/** Their memory is the caller's. */
function onHost({ rowStart, indices, values }: SparseEntries): EntryList {
  const starts = rowStart.dataSync<'int32'>();
  const count = starts[starts.length - 1];
  return {
    rowStart: starts,
    indices: indices.dataSync<'int32'>().subarray(0, count),
    values: values.dataSync<'float32'>().subarray(0, count),
  };
}

/** [rows × each], rows that list fewer entries filled up with 0. */
function valuesOfRows({ rowStart, values }: EntryList, each: number): Float32Array {
  const rows = rowStart.length - 1;
  if (values.length === rows * each) return values;
  const padded = new Float32Array(rows * each);
  for (let b = 0; b < rows; b++) padded.set(values.subarray(rowStart[b], rowStart[b + 1]), b * each);
  return padded;
}

/** What the share's latents add to the reconstruction [rows, d]. */
function decoded(
  inner: FusedKernels,
  entries: Entries,
  threshold: Tensor1D | null,
  wDec: Tensor2D,
  target: Tensor2D,
): Float32Array {
  const part = tf.tidy(() => {
    // Values of lists without thresholds are activations; others are pre-activations, some of which don't fire.
    if (entries.kind === 'sparse' && !threshold) return inner.sparseDecode(entries, wDec);
    const nothing = tf.zerosLike(target);
    const { error, dots } = inner.reconstruct(entries, threshold, { wDec, bias: null }, nothing);
    dots.dispose();
    return error;
  });
  const values = part.dataSync<'float32'>();
  part.dispose();
  return values;
}

/** The request whose gradient is `factor` times that of the given one. */
function scaled(request: GradientRequest, factor: number): GradientRequest {
  if (factor === 1) return request;
  const term = (of: LossTerm): LossTerm => ({ ...of, scale: hostNumber(of.scale) * factor });
  const { main, auxiliary, l1, jump } = request;
  return {
    ...request,
    main: term(main),
    auxiliary: auxiliary && term(auxiliary),
    l1: l1 * factor,
    jump: jump && { ...jump, l0Gradient: hostNumber(jump.l0Gradient) * factor },
  };
}

/** One step of Adam (1412.6980, ε outside the root, as in `referenceUpdate`) of b_dec. */
function adamStep(
  { bDec }: DictionaryVariables,
  moments: { readonly first: DictionaryVariables; readonly second: DictionaryVariables },
  gradient: Float32Array,
  { learningRate, beta1, beta2, epsilon, step }: AdamSettings,
): void {
  const [values, first, second] = [bDec, moments.first.bDec, moments.second.bDec].map((variable) =>
    Float32Array.from(variable.dataSync()),
  );
  const rate = learningRate / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < gradient.length; i++) {
    first[i] = beta1 * first[i] + (1 - beta1) * gradient[i];
    second[i] = beta2 * second[i] + (1 - beta2) * gradient[i] ** 2;
    values[i] -= (rate * first[i]) / (Math.sqrt(second[i]) / root + epsilon);
  }
  assign(bDec, values);
  assign(moments.first.bDec, first);
  assign(moments.second.bDec, second);
}

function assign(variable: Variable, values: Float32Array): void {
  const tensor = tf.tensor(values, variable.shape, 'float32');
  variable.assign(tensor);
  tensor.dispose();
}

function broadcastValues(communicator: Communicator, variables: readonly Variable[]): void {
  const each = variables.map((variable) => variable.dataSync<'float32'>());
  const all = Float32Array.from(each.flatMap((values) => [...values]));
  communicator.broadcast(all);
  let from = 0;
  for (const [at, { length }] of each.entries()) {
    assign(variables[at], all.slice(from, from + length));
    from += length;
  }
}
