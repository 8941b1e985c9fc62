/**
 * How long a training step takes in the product's own trainer, beside the best that this machine could do.
 *
 * The dictionary behaves like a trained one from the first step: its rows are the directions the activations are made
 * of, and for ReLU and JumpReLU the thresholds let `l0` latents through. The learning rate is tiny, so that it stays sparse.
 * `floorMs` is one product of the batch with the dictionary at the measured rate plus six passes over the parameters'
 * bytes (reading and writing weights and both moments) at the measured bandwidth of a copy, both measured in the call.
 */
import { LazyscopeError } from '../../sae/errors.ts';
import type { FusedKernels, GradientRequest, KernelTime } from '../../sae/ops/fusedKernels.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import { dictionaryVariables, disposeDictionary, parameterNames } from '../../sae/autoencoders/dictionary.ts';
import { randomRows } from '../../sae/autoencoders/randomRows.ts';
import { sparseEntries } from '../../sae/ops/sparseEntries.ts';
import { referenceKernels } from '../../sae/ops/referenceKernels.ts';
import { type Report, silent } from '../../sae/progress.ts';
import {
  type ArchitectureName,
  describedArchitecture,
  settingOfK,
  type TrainingConfig,
} from '../../sae/spec/architectures/architectures.ts';
import { Random } from '../../sae/numerics/random.ts';
import { tf, type Tensor, type Tensor1D, type Tensor2D } from '../../sae/tensor/tf.ts';
import type { BatchSource } from '../../sae/training/batchSource.ts';
import { defaultTrainingConfig } from '../../sae/training/defaults.ts';
import { initialState, Trainer, type TrainerState } from '../../sae/training/trainer.ts';

export interface TrainBenchmarkOptions {
  architecture: ArchitectureName;
  d: number;
  width: number;
  k: number;
  batchSize: number;
  seeds: number;
  steps: number;
  /** Latents that fire on a token (ReLU, JumpReLU): about 64 in a trained dictionary, half of all as training begins. */
  l0: number;
}

export interface TrainBenchmark {
  /** Median of the timed steps, all seeds together. */
  stepMs: number;
  /** Tokens × seeds a second. */
  tokensPerSecond: number;
  /**
   * Medians. `gradients` and `optimiser` are one pass; the optimiser's share is what the pass takes without entries. On a
   * device with a clock: means of its own times over as many steps more, with the gradients of matrices in `optimiser`.
   */
  phasesMs: { encode: number; decode: number; gradients: number; optimiser: number; other: number };
  /** Time of a step by the device's clock; null where kernels have finished when they return, or there is no clock. */
  kernels: readonly KernelTime[] | null;
  /** Of the product of the batch with one dictionary: in bf16 where the backend multiplies that. */
  gemmGflops: number;
  copyGBs: number;
  floorMs: number;
  peakRssMb: number;
  /** Mean over the timed steps. */
  l0: number;
}

/** Number of batches that are made beforehand and repeated, so that making them is not timed. */
const kept = 4;
const featuresAToken = 32;
/** Latents on a token that are above the lower edge of JumpReLU's band, as a multiple of L0: as in trained demo dictionaries. */
const listedByL0 = 5;

/** Checks the kernels at a small size, then times. Throws `unavailable` when they compute something wrong. */
export async function benchTrain(
  options: TrainBenchmarkOptions,
  report: Report = silent,
): Promise<TrainBenchmark> {
  const { architecture, d, width, batchSize, seeds, steps } = options;
  await check({
    ...options,
    d: Math.min(d, 48),
    width: Math.min(width, 256),
    batchSize: 64,
    k: Math.min(options.k, 8),
    l0: Math.min(options.l0, 16),
    seeds: 1,
  });
  const { trainer, spent, request } = prepare(options, steps + 2);
  await trainer.advance(false);
  await trainer.advance(false);
  const samples: Record<'step' | 'encode' | 'decode' | 'update' | 'other', number[]> = {
    step: [],
    encode: [],
    decode: [],
    update: [],
    other: [],
  };
  let l0 = 0;
  for (let step = 1; step <= steps; step++) {
    Object.assign(spent, { encode: 0, decode: 0, update: 0 });
    const before = performance.now();
    const results = await trainer.advance(false);
    const elapsed = performance.now() - before;
    samples.step.push(elapsed);
    samples.other.push(elapsed - spent.encode - spent.decode - spent.update);
    for (const phase of ['encode', 'decode', 'update'] as const) samples[phase].push(spent[phase]);
    for (const result of results) l0 += result.l0 / results.length / steps;
    report({ stage: `bench ${architecture}`, done: step, total: steps, unit: 'steps' });
  }
  const stepMs = median(samples.step);
  const [encode, decode, update, other] = [samples.encode, samples.decode, samples.update, samples.other].map(
    median,
  );
  const kernels = await deviceTimes(trainer, steps);
  const optimiser = Math.min(update, seeds * optimiserTime(fusedKernels(), request()));
  trainer.dispose();
  const { gemmMs, copyGBs } = machine(batchSize, d, width);
  const parameterBytes =
    4 * (2 * width * d + width + d + (describedArchitecture(architecture).trainsThresholds ? width : 0));
  return {
    stepMs,
    tokensPerSecond: (batchSize * seeds * 1000) / stepMs,
    phasesMs: kernels
      ? devicePhases(kernels, stepMs)
      : { encode, decode, gradients: update - optimiser, optimiser, other },
    kernels,
    gemmGflops: (2 * batchSize * width * d) / gemmMs / 1e6,
    copyGBs,
    floorMs: seeds * (gemmMs + (6 * parameterBytes) / copyGBs / 1e6),
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    l0,
  };
}

/** Time that the kernels of a step took by the device's clock. */
async function deviceTimes(trainer: Trainer, steps: number): Promise<KernelTime[] | null> {
  const times = await fusedKernels().timed?.(async () => {
    for (let step = 0; step < steps; step++) await trainer.advance(false);
  });
  return (
    times?.map((time) => ({ ...time, calls: time.calls / steps, milliseconds: time.milliseconds / steps })) ??
    null
  );
}

function devicePhases(kernels: readonly KernelTime[], stepMs: number): TrainBenchmark['phasesMs'] {
  const phases = { encode: 0, decode: 0, gradients: 0, optimiser: 0, other: 0 };
  for (const { phase, milliseconds } of kernels) phases[phase] += milliseconds;
  const known = phases.encode + phases.decode + phases.gradients + phases.optimiser;
  return { ...phases, other: Math.max(0, stepMs - known) };
}

interface Spent {
  encode: number;
  decode: number;
  update: number;
}

/** A trainer on planted data whose kernels say how long they took. */
function prepare(
  options: TrainBenchmarkOptions,
  steps: number,
  seen: (request: GradientRequest) => void = () => {},
) {
  const { architecture, d, width, k, batchSize, seeds } = options;
  const features = randomRows(Random.fromSeed(0, 'bench features'), width, d);
  const source = plantedBatches(features, d, width, batchSize);
  const common = {
    capture: 'bench',
    hook: 'blocks.0.hook_resid_post',
    d,
    width,
    batchSize,
    tokens: batchSize * steps,
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    learningRate: 1e-8,
    // If latents counted as dead in so short a run, the auxiliary loss would be timed too.
    deadAfter: 1e9,
  };
  const settingK = settingOfK(architecture);
  const config = defaultTrainingConfig(architecture, { ...common, ...(settingK && { [settingK]: k }) });
  const spent: Spent = { encode: 0, decode: 0, update: 0 };
  let last: GradientRequest | undefined;
  const timed = timedKernels(fusedKernels(), spent, (request) => {
    last = request;
    seen(request);
  });
  const { state, bandwidth } = trainedState(config, source, features, options.l0);
  const fitted = 'bandwidth' in config ? { ...config, bandwidth } : config;
  const trainer = new Trainer(fitted, source, state, timed);
  const request = () => {
    if (!last) throw new Error('no step has been made');
    return last;
  };
  return { trainer, spent, request };
}

function timedKernels(
  kernels: FusedKernels,
  spent: Spent,
  seen: (request: GradientRequest) => void,
): FusedKernels {
  const timed = <Args extends unknown[], Result>(phase: keyof Spent, run: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      const before = performance.now();
      const result = run(...args);
      spent[phase] += performance.now() - before;
      return result;
    };
  };
  return {
    ...kernels,
    topKEncode: timed('encode', kernels.topKEncode),
    batchTopKEncode: timed('encode', kernels.batchTopKEncode),
    thresholdEncode: timed('encode', kernels.thresholdEncode),
    firings: timed('decode', kernels.firings),
    reconstruct: timed('decode', kernels.reconstruct),
    reconstructNested: timed('decode', kernels.reconstructNested),
    update: timed('update', (...args: Parameters<FusedKernels['update']>) => {
      seen(args[0]);
      kernels.update(...args);
    }),
  };
}

/**
 * The initial state with the planted directions as rows, as many latents firing as in a trained dictionary, and the
 * bandwidth that lists as many.
 */
function trainedState(
  config: TrainingConfig,
  source: BatchSource,
  features: Float32Array,
  l0: number,
): { state: TrainerState; bandwidth: number } {
  const state = initialState(config, source);
  const { width } = config;
  const d = features.length / width;
  const before = source.state();
  const rows = Math.min(64, source.batchSize);
  const x = source
    .next()
    .subarray(0, rows * d)
    .map((value) => value * state.scale);
  source.restore(before);
  const z = tf.tidy(() =>
    tf.matMul(tf.tensor2d(x, [rows, d]), tf.tensor2d(features.slice(), [width, d]), false, true).flatten(),
  );
  const sorted = Float32Array.from(z.dataSync()).sort();
  z.dispose();
  const exceededBy = (latents: number) => sorted[sorted.length - Math.min(width, latents) * rows] ?? 0;
  const cut = Math.max(exceededBy(l0), 1e-6);
  const { fires } = describedArchitecture(config.architecture).inference;
  for (const { parameters } of state.dictionaries) {
    parameters.wEnc.set(features);
    parameters.wDec.set(features);
    parameters.bDec.fill(0);
    parameters.bEnc.fill(fires === 'positive' || parameters.bMag ? -cut : 0);
    parameters.bMag?.fill(-cut);
    parameters.logThreshold?.fill(Math.log(cut));
  }
  return { state, bandwidth: Math.max(2 * (cut - exceededBy(listedByL0 * l0)), 1e-6) };
}

function plantedBatches(features: Float32Array, d: number, width: number, batchSize: number): BatchSource {
  const random = Random.fromSeed(0, 'bench batches');
  const batches = Array.from({ length: kept }, () => {
    const batch = new Float32Array(batchSize * d);
    for (let row = 0; row < batchSize; row++)
      for (let n = 0; n < featuresAToken; n++) {
        const feature = random.below(width) * d;
        const strength = 0.5 + random.uniform();
        for (let j = 0; j < d; j++) batch[row * d + j] += strength * features[feature + j];
      }
    return batch;
  });
  let position = 0;
  return {
    d,
    batchSize,
    next: () => batches[position++ % kept].slice(),
    state: () => ({ seed: 0, epoch: 0, position }),
    restore: (state) => void ({ position } = state),
  };
}

/** The update of a dictionary on which nothing fired: Adam and the norms alone. */
function optimiserTime(kernels: FusedKernels, request: GradientRequest): number {
  const { parameters, x } = request;
  const [rows, d] = x.shape;
  const latents = parameters.bEnc.size;
  const { logThreshold, rMag, bMag } = parameters;
  const zeros = () =>
    dictionaryVariables({
      wEnc: new Float32Array(latents * d),
      bEnc: new Float32Array(latents),
      wDec: new Float32Array(latents * d),
      bDec: new Float32Array(d),
      logThreshold: logThreshold && new Float32Array(latents),
      rMag: rMag && new Float32Array(latents),
      bMag: bMag && new Float32Array(latents),
    });
  const all = [zeros(), zeros(), zeros()] as const;
  const entries = sparseEntries(latents, new Int32Array(rows + 1), new Int32Array(0), new Float32Array(0));
  const error = tf.zeros([rows, d]) as Tensor2D;
  const dots = tf.tensor1d([]) as Tensor1D;
  const input = tf.zeros([rows, d]) as Tensor2D;
  const empty = {
    ...request,
    parameters: all[0],
    x: input,
    main: { entries, error, dots, scale: 1 },
    auxiliary: null,
    jump: null,
    ...(request.gate && { gate: { ...request.gate, entries, dots, gain: all[0].bEnc as Tensor1D } }),
  };
  const adam = {
    learningRate: 1e-8, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1, clipNorm: null, unitNormDecoder: false,
  }; // prettier-ignore
  const times = Array.from({ length: 4 }, () => {
    const before = performance.now();
    kernels.update(empty, { first: all[1], second: all[2] }, adam);
    return performance.now() - before;
  });
  for (const dictionary of all) disposeDictionary(dictionary);
  tf.dispose([error, dots, input, entries.rowStart, entries.indices, entries.values]);
  return median(times.slice(1));
}

/** The best of several tries at a product of the step's shape, in bf16 where the backend has it, and at a copy too large for any cache. */
function machine(batchSize: number, d: number, width: number) {
  const rates = fusedKernels().rates?.({ rows: batchSize, depth: d, columns: width });
  if (rates) return { gemmMs: rates.productMs.bf16, copyGBs: rates.copyGBs };
  const x = tf.randomNormal([batchSize, d]) as Tensor2D;
  const w = tf.randomNormal([width, d]) as Tensor2D;
  const large = tf.zeros([2 ** 25]);
  const best = (run: () => Tensor) => {
    let least = Infinity;
    for (let n = 0; n < 6; n++) {
      const before = performance.now();
      const result = run();
      // A device has finished when a value of the result can be read.
      const last = tf.tidy(() => result.flatten().slice([result.size - 1], [1]));
      last.dataSync();
      tf.dispose([result, last]);
      if (n > 0) least = Math.min(least, performance.now() - before);
    }
    return least;
  };
  const gemmMs = best(() => tf.matMul(x, w, false, true));
  const copyMs = best(() => tf.neg(large));
  tf.dispose([x, w, large]);
  return { gemmMs, copyGBs: (2 * 4 * 2 ** 25) / copyMs / 1e6 };
}

/** Compares the gradients of a small step with those of the reference kernels, because a wrong step is not worth timing. */
async function check(options: TrainBenchmarkOptions): Promise<void> {
  let wrong = '';
  const { trainer } = prepare(options, 4, (request) => {
    const [got, want] = [fusedKernels().gradients(request), referenceKernels.gradients(request)];
    for (const name of parameterNames) {
      const [a, b] = [got[name], want[name]];
      if (!a || !b) continue;
      const off = tf.tidy(() => a.sub(b).abs().max().div(b.abs().max().add(1e-12)).dataSync()[0]);
      if (!(off < 1e-3)) wrong ||= `${name} is off by ${off}`;
      tf.dispose([a, b]);
    }
  });
  await trainer.advance(false);
  trainer.dispose();
  if (wrong)
    throw new LazyscopeError(
      'unavailable',
      `Backend ${tf.getBackend()} computes wrong gradients for ${options.architecture}: ${wrong}.`,
    );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
