/**
 * How long a training step takes in the product's own trainer, beside the best that this machine could do.
 *
 * The dictionary behaves like a trained one from the first step (plantedTraining.ts), and the learning rate is tiny, so that it stays sparse.
 * `floorMs` is one product of the batch with the dictionary at the measured rate plus six passes over the parameters'
 * bytes (reading and writing weights and both moments) at the measured bandwidth of a copy, both measured in the call.
 */
import { copyRate, operationMs } from '../../sae/backends/operationRates.ts';
import { LazyscopeError } from '../../sae/errors.ts';
import type { FusedKernels, GradientRequest, HostTimes, KernelTime } from '../../sae/ops/fusedKernels.ts';
import { fusedKernels } from '../../sae/ops/kernelTable.ts';
import type { StepCounts } from '../../sae/ops/stepRecorder.ts';
import { dictionaryVariables, disposeDictionary, parameterNames } from '../../sae/autoencoders/dictionary.ts';
import { sparseEntries } from '../../sae/ops/sparseEntries.ts';
import { referenceKernels } from '../../sae/ops/referenceKernels.ts';
import { type Report, silent } from '../../sae/progress.ts';
import { type ArchitectureName, describedArchitecture } from '../../sae/spec/architectures/architectures.ts';
import { tf, type Tensor1D, type Tensor2D } from '../../sae/tensor/tf.ts';
import { Trainer } from '../../sae/training/trainer.ts';
import { plantedConfig, plantedTraining } from './plantedTraining.ts';

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
  /** Latents that count as dead, for AuxK. */
  dead?: number;
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
  /** Where a device computes in the background: the time of a step in which the host did not wait for it; the two overlap. Otherwise null. */
  hostMs: number | null;
  /** What the host did in that time, as means: `record` includes what it submits and uploads, and `other` is none of these. */
  hostParts: (Omit<HostTimes, 'waiting'> & { other: number }) | null;
  /** How the steps were made, where the backend can launch a step as a whole; otherwise null. Those whose kernels are timed one by one are not. */
  steps: StepCounts | null;
  /** The sum of `kernels`. */
  deviceMs: number | null;
  /** Of the product of the batch with one dictionary: in bf16 where the backend multiplies that. */
  gemmGflops: number;
  copyGBs: number;
  floorMs: number;
  /** What the benchmark itself took: checking, making data and dictionary, steps (warm-up included), measuring rates. */
  seconds: { check: number; prepare: number; steps: number; rates: number };
  peakRssMb: number;
  /** Mean over the timed steps. */
  l0: number;
  /** Latents of the first dictionary that were dead after the last timed step. */
  dead: number;
}

/** Steps before any is timed, at least so many and for so long: a GPU raises its clock only after some work. */
const warmUp = { steps: 2, ms: 200 };
/** Largest product by which the rate of products is measured, in elements of its result. */
const largestProduct = 2 ** 26;

/** Checks the kernels at a small size, then times. Throws `unavailable` when they compute something wrong. */
export async function benchTrain(
  options: TrainBenchmarkOptions,
  report: Report = silent,
): Promise<TrainBenchmark> {
  const { architecture, d, width, batchSize, seeds, steps } = options;
  const seconds = stopwatch();
  await check({
    ...options,
    d: Math.min(d, 48),
    width: Math.min(width, 256),
    batchSize: 64,
    k: Math.min(options.k, 8),
    l0: Math.min(options.l0, 16),
    seeds: 1,
    dead: 0,
  });
  const checked = seconds();
  const { trainer, spent, request } = prepare(options);
  const prepared = seconds();
  const begun = performance.now();
  for (let n = 0; n < warmUp.steps || performance.now() - begun < warmUp.ms; n++)
    await trainer.advance(false);
  const host = () => fusedKernels().hostTimes?.() ?? { waiting: 0, upload: 0, record: 0, submit: 0 };
  const hostBefore = host();
  const samples: Record<'step' | 'host' | 'encode' | 'decode' | 'update' | 'other', number[]> = {
    step: [],
    host: [],
    encode: [],
    decode: [],
    update: [],
    other: [],
  };
  let [l0, dead] = [0, 0];
  for (let step = 1; step <= steps; step++) {
    Object.assign(spent, { encode: 0, decode: 0, update: 0 });
    const before = performance.now();
    const waitedBefore = host().waiting;
    const results = await trainer.advance(false);
    const elapsed = performance.now() - before;
    samples.step.push(elapsed);
    samples.host.push(elapsed - (host().waiting - waitedBefore));
    samples.other.push(elapsed - spent.encode - spent.decode - spent.update);
    for (const phase of ['encode', 'decode', 'update'] as const) samples[phase].push(spent[phase]);
    for (const result of results) l0 += result.l0 / results.length / steps;
    dead = Math.round(results[0].deadFraction * width);
    report({ stage: `bench ${architecture}`, done: step, total: steps, unit: 'steps' });
  }
  const hostParts = partsOf(hostBefore, host(), samples.step, steps);
  const stepMs = median(samples.step);
  const made = trainer.stepCounts;
  const [encode, decode, update, other] = [samples.encode, samples.decode, samples.update, samples.other].map(
    median,
  );
  const kernels = await deviceTimes(trainer, steps);
  const optimiser = kernels ? 0 : Math.min(update, seeds * optimiserTime(fusedKernels(), request()));
  const stepped = seconds();
  const { gemmMs, copyGBs } = await machineRates(request(), batchSize);
  trainer.dispose();
  const parameterBytes =
    4 * (2 * width * d + width + d + (describedArchitecture(architecture).trainsThresholds ? width : 0));
  return {
    stepMs,
    tokensPerSecond: (batchSize * seeds * 1000) / stepMs,
    phasesMs: kernels
      ? devicePhases(kernels, stepMs)
      : { encode, decode, gradients: update - optimiser, optimiser, other },
    kernels,
    steps: made,
    hostMs: fusedKernels().hostTimes ? median(samples.host) : null,
    hostParts: fusedKernels().hostTimes ? hostParts : null,
    deviceMs: kernels && kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    gemmGflops: (2 * batchSize * width * d) / gemmMs / 1e6,
    copyGBs,
    floorMs: seeds * (gemmMs + (6 * parameterBytes) / copyGBs / 1e6),
    seconds: { check: checked, prepare: prepared, steps: stepped, rates: seconds() },
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    l0,
    dead,
  };
}

function partsOf(before: HostTimes, after: HostTimes, elapsed: readonly number[], steps: number) {
  const mean = (part: keyof HostTimes) => (after[part] - before[part]) / steps;
  const parts = { upload: mean('upload'), record: mean('record'), submit: mean('submit') };
  const all = elapsed.reduce((sum, ms) => sum + ms, 0) / steps;
  return { ...parts, other: all - mean('waiting') - parts.record };
}

/** Seconds since the last call, or since it was made. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const before = last;
    last = performance.now();
    return (last - before) / 1000;
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
function prepare(options: TrainBenchmarkOptions, seen: (request: GradientRequest) => void = () => {}) {
  const { architecture, d } = options;
  const config = plantedConfig(architecture, options);
  const spent: Spent = { encode: 0, decode: 0, update: 0 };
  let last: GradientRequest | undefined;
  const timed = timedKernels(fusedKernels(), spent, (request) => {
    last = request;
    seen(request);
  });
  const { source, state, bandwidth } = plantedTraining(config, d, options.l0, options.dead);
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
    auxiliaryRows: null,
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

/** A product of the step's shape, in bf16 where the backend has it, and a copy too large for any cache. */
async function machineRates({ parameters }: GradientRequest, batchSize: number) {
  const [width, d] = parameters.wEnc.shape;
  const rates = fusedKernels().rates?.({ rows: batchSize, depth: d, columns: width });
  if (rates) return { gemmMs: rates.productMs.bf16, copyGBs: rates.copyGBs };
  // A result that is too large for one tensor is not made: fewer rows take their share of the time.
  const rows = Math.min(batchSize, Math.max(1, Math.floor(largestProduct / width)));
  const part = tf.randomUniform([rows, d]);
  const ms = await operationMs(() => tf.matMul(part, parameters.wEnc as Tensor2D, false, true));
  part.dispose();
  return { gemmMs: (ms * batchSize) / rows, copyGBs: await copyRate() };
}

/** Compares the gradients of a small step with those of the reference kernels, because a wrong step is not worth timing. */
async function check(options: TrainBenchmarkOptions): Promise<void> {
  let wrong = '';
  const { trainer } = prepare(options, (request) => {
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
