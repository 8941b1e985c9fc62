/**
 * The training loop's core: some dictionaries that differ only in the seed of their initialisation, fed the same
 * batches (as in Paulo & Belrose, 2501.16615: same data, same order). It knows nothing of files.
 */
import type { StepSettings } from '../autoencoders/architecture.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import { type DictionaryArrays, dictionaryArrays, dictionaryVariables, disposeDictionary, zerosLike } from '../autoencoders/dictionary.ts'; // prettier-ignore
import { type ConfiguredArchitecture, configuredArchitecture } from '../autoencoders/implementations.ts';
import type { TrainedDictionary } from '../autoencoders/dictionaryFile.ts';
import type { Measured } from '../autoencoders/measure.ts';
import { randomRows } from '../autoencoders/randomRows.ts';
import { total } from '../autoencoders/total.ts';
import { LazyscopeError } from '../errors.ts';
import { disposeComputed } from '../ops/computed.ts';
import { sumOfSquares } from '../ops/sumOfSquares.ts';
import type { AdamSettings, Batch, DictionaryVariables, FusedKernels } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { describedArchitecture, type TrainingConfig } from '../spec/architectures/architectures.ts';
import { Random } from '../numerics/random.ts';
import type { BatchSource, SourceState } from './batchSource.ts';
import { updateSkip, withoutSkip } from './skipConnection.ts';
import { inputStatistics } from './inputStatistics.ts';
import { starts } from './startingRows.ts';
import { learningRateAt, sparsityCoefficientAt, totalSteps } from './schedules.ts';

/** One dictionary and its optimiser, on the host. */
export interface DictionaryState {
  parameters: DictionaryArrays;
  first: DictionaryArrays;
  second: DictionaryArrays;
  /** Tokens since each latent last fired [latents]. */
  sinceFired: Float64Array;
  /** What the architecture keeps besides parameters; see `trainingState` of its description. */
  state: TrainingState;
}

/** Everything that a resumed run needs, besides its configuration and where the source stands. */
export interface TrainerState {
  /** Steps done. */
  step: number;
  scale: number;
  dictionaries: DictionaryState[];
}

/** What one step says of one seed. */
export interface StepMetrics {
  seed: number;
  loss: number;
  mse: number;
  fvu: number;
  l0: number;
  deadFraction: number;
  /** λ, where the architecture steers it; otherwise the schedule says what it is. */
  sparsityCoefficient?: number;
}

interface Dictionary {
  parameters: DictionaryVariables;
  first: DictionaryVariables;
  second: DictionaryVariables;
  sinceFired: Float64Array;
  /** Latents that have not fired for `deadAfter` tokens, ascending. */
  dead: Int32Array;
  state: TrainingState;
  /** What the encoder listed in the last step, for the next one to expect. */
  listed: number | undefined;
}

/** The state before the first step. Reads ahead in the source and puts it back. */
export function initialState(config: TrainingConfig, source: BatchSource): TrainerState {
  const statistics = inputStatistics(source);
  const architecture = configuredArchitecture(config);
  const scale = architecture.inputScale(source.d, statistics);
  const sample = statistics.sample.map((value) => value * scale);
  const median = statistics.median.map((value) => value * scale);
  const outputMedian = statistics.outputMedian?.map((value) => value * scale);
  const start = starts(architecture, config.width, config, { sample, median });
  const dictionaries = config.seeds.map((seed) => {
    const random = Random.fromSeed(seed, 'initialisation');
    const autoencoder = start(random);
    const { blocks } = source;
    const parameters = outputMedian
      ? asTranscoder(autoencoder, median, outputMedian, { seed, skips: config.skip === true })
      : blocks
        ? asCrosscoder(autoencoder, blocks, architecture.unitNormDecoder)
        : autoencoder;
    return {
      parameters,
      first: zerosLike(parameters),
      second: zerosLike(parameters),
      sinceFired: new Float64Array(config.width),
      state: describedArchitecture(config.architecture).trainingState,
    };
  });
  return { step: 0, scale, dictionaries };
}

/**
 * *Choice*: a transcoder begins as an autoencoder does, but for its biases: b_dec is the geometric median of the outputs, and b_enc is
 * −W_enc·m, m that of the inputs, where an encoder that subtracts a decoder bias would begin. Between two widths decoder rows are random
 * directions of their own, as long as an autoencoder's would be. W_skip begins at 0.
 */
function asTranscoder(
  autoencoder: DictionaryArrays,
  median: Float32Array,
  outputMedian: Float32Array,
  { seed, skips }: { seed: number; skips: boolean },
): DictionaryArrays {
  const { wEnc } = autoencoder;
  const d = median.length;
  const outputs = outputMedian.length;
  const bEnc = autoencoder.bEnc.map((_, i) => -total(median, wEnc.subarray(i * d, (i + 1) * d)));
  const norm = Math.sqrt(sumOfSquares(autoencoder.wDec.subarray(0, d)));
  const wDec =
    outputs === d
      ? autoencoder.wDec
      : randomRows(Random.fromSeed(seed, 'decoder of a transcoder'), bEnc.length, outputs, norm);
  const wSkip = skips ? new Float32Array(outputs * d) : null;
  // A gate's magnitudes begin as its pre-activations, as in an autoencoder.
  const magnitudes = autoencoder.bMag && { bMag: bEnc.slice() };
  return { ...autoencoder, bEnc, wDec, bDec: outputMedian.slice(), wSkip, ...magnitudes };
}

/**
 * *Choice*: a crosscoder begins as the autoencoder of all activations side by side that it would be with an encoder that subtracts b_dec, which it
 * is not: b_enc is −W_enc·b_dec. Decoder rows of unit norm are brought to size 1, Σ_l ‖W_dec,i^l‖ = 1, and encoder rows lengthened by as much.
 */
function asCrosscoder(
  autoencoder: DictionaryArrays,
  blocks: Int32Array,
  unitSize: boolean,
): DictionaryArrays {
  const { bDec } = autoencoder;
  const d = bDec.length;
  const [wEnc, wDec] = [autoencoder.wEnc.slice(), autoencoder.wDec.slice()];
  const bEnc = autoencoder.bEnc.map((_, i) => {
    const encoder = wEnc.subarray(i * d, (i + 1) * d);
    const decoder = wDec.subarray(i * d, (i + 1) * d);
    const size = unitSize ? rowSize(decoder, blocks) : 1;
    for (let j = 0; j < d; j++) {
      encoder[j] *= size;
      decoder[j] /= size;
    }
    return -total(bDec, encoder);
  });
  return { ...autoencoder, wEnc, bEnc, wDec };
}

/** Σ_l ‖w^l‖ over the blocks of a row. */
function rowSize(row: Float32Array, blocks: Int32Array): number {
  let from = 0;
  let sum = 0;
  for (const end of blocks) {
    sum += Math.sqrt(sumOfSquares(row.subarray(from, end)));
    from = end;
  }
  return sum;
}

/** Trains dictionaries that differ only in their seed, step by step, without files. It holds tensors: dispose it. */
export class Trainer {
  readonly config: TrainingConfig;
  readonly scale: number;
  #kernels: FusedKernels;
  #architecture: ConfiguredArchitecture;
  #source: BatchSource;
  #dictionaries: Dictionary[];
  #step: number;
  /** The batch of the next step, on its way to the device, and where the source stood before it. */
  #ahead: { batch: Batch; position: SourceState } | null = null;

  /** Takes over the arrays of `state`. `kernels` are those of the active backend unless a benchmark wraps them. */
  constructor(config: TrainingConfig, source: BatchSource, state: TrainerState, kernels = fusedKernels()) {
    this.#kernels = kernels;
    this.config = config;
    this.scale = state.scale;
    this.#architecture = configuredArchitecture(config);
    this.#source = source;
    this.#step = state.step;
    this.#dictionaries = state.dictionaries.map(({ parameters, first, second, sinceFired, state }) => ({
      parameters: dictionaryVariables(parameters),
      first: dictionaryVariables(first),
      second: dictionaryVariables(second),
      sinceFired,
      dead: deadLatents(sinceFired, config.deadAfter),
      state,
      listed: undefined,
    }));
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /**
   * One optimiser step of every seed on the next batch; one call at a time. `withLoss` asks for the loss, which costs
   * a little. A device may still be at the update when the answer comes.
   */
  async advance(withLoss = true): Promise<StepMetrics[]> {
    const { config } = this;
    const batch = this.#ahead?.batch ?? this.#send();
    this.#ahead = null;
    try {
      const [rows] = batch.x.shape;
      const results = Promise.all(
        this.#dictionaries.map((dictionary) => this.#update(dictionary, batch, withLoss, dictionary.listed)),
      );
      this.#sendAhead();
      const attempts = await results;
      // Where the device was told to expect too different a number of entries, nothing has changed but time.
      const measured = await Promise.all(
        attempts.map((attempt, index) =>
          attempt.valid ? attempt : this.#update(this.#dictionaries[index], batch, withLoss),
        ),
      );
      const metrics = measured.map(
        ({ loss, mse, fvu, firings, listed, state, sparsityCoefficient }, index) => {
          if (!Number.isFinite(mse) || !Number.isFinite(loss))
            throw new LazyscopeError(
              'bad_input',
              `Training diverged at step ${this.#step + 1} of seed ${config.seeds[index]}: the loss is ${loss}; lower learningRate (now ${config.learningRate}) or check the activations.`,
            );
          const dictionary = this.#dictionaries[index];
          dictionary.listed = listed;
          dictionary.state = state ?? dictionary.state;
          const fired = age(dictionary, firings, rows, config.deadAfter);
          return {
            seed: config.seeds[index],
            loss,
            mse,
            fvu,
            l0: fired / rows,
            deadFraction: dictionary.dead.length / config.width,
            ...(sparsityCoefficient !== undefined && { sparsityCoefficient }),
          };
        },
      );
      this.#step++;
      return metrics;
    } finally {
      disposeBatch(batch);
    }
  }

  #send(): Batch {
    const source = this.#source;
    const { x, variance } = this.#kernels.scaledBatch(source.next(), source.d, this.scale);
    const outputs = source.outputs?.();
    // A crosscoder's encoder doesn't subtract b_dec, as a transcoder's doesn't.
    if (!outputs) return source.blocks ? { x, target: x, blocks: source.blocks, variance } : { x, variance };
    disposeComputed(variance);
    // One scale for both, so that the dictionary that acts on raw activations is the trained one with smaller biases.
    const target = this.#kernels.scaledBatch(outputs, source.outputWidth ?? source.d, this.scale);
    return { x, target: target.x, variance: target.variance };
  }

  /** While a device computes, the host has time to read the next batch and to send it. */
  #sendAhead(): void {
    if (!this.#kernels.readBack || this.#step + 1 >= totalSteps(this.config)) return;
    const position = this.#source.state();
    try {
      this.#ahead = { batch: this.#send(), position };
    } catch {
      // Thrown again when the batch is needed; this step doesn't need it.
      this.#source.restore(position);
    }
  }

  /** Where the source stands after the steps done: a batch that is only on its way doesn't count. */
  get position(): SourceState {
    return this.#ahead?.position ?? this.#source.state();
  }

  /** Sends the step of one dictionary on its way: forward pass, read-back of what it has to say, update. */
  #update(
    dictionary: Dictionary,
    batch: Batch,
    withLoss: boolean,
    expected: number | undefined = undefined,
  ): Promise<Measured> {
    const { config } = this;
    const { parameters, first, second, dead, state } = dictionary;
    const settings: StepSettings = {
      sparsityCoefficient: sparsityCoefficientAt(config, this.#step),
      dead,
      expected,
      state,
    };
    const kernels = this.#kernels;
    // The latents predict what the skip connection leaves over.
    const left = parameters.wSkip ? withoutSkip(batch, parameters.wSkip) : null;
    const pass = this.#architecture.forward(kernels, parameters, left ?? batch, settings);
    try {
      const measured = pass.measure(withLoss);
      // Where the error is at hand, a step that diverged leaves the parameters as they were.
      if (typeof pass.squaredError !== 'number' || Number.isFinite(pass.squaredError)) {
        const adam: AdamSettings = {
          learningRate: learningRateAt(config, this.#step),
          beta1: config.beta1,
          beta2: config.beta2,
          epsilon: config.epsilon,
          step: this.#step + 1,
          clipNorm: config.clipNorm,
          unitNormDecoder: this.#architecture.unitNormDecoder,
        };
        kernels.update(pass.request, { first, second }, adam);
        if (parameters.wSkip) updateSkip(kernels, pass.request, { first, second }, adam);
      }
      return measured;
    } finally {
      pass.dispose();
      left?.target?.dispose();
    }
  }

  /** The dictionary of one seed as it is now, copied, in units of the scaled activations. */
  dictionary(index: number): TrainedDictionary {
    const { parameters, state } = this.#dictionaries[index];
    return this.#architecture.trained(dictionaryArrays(parameters), state);
  }

  /** A copy that later steps don't change. */
  state(): TrainerState {
    return {
      step: this.#step,
      scale: this.scale,
      dictionaries: this.#dictionaries.map(({ parameters, first, second, sinceFired, state }) => ({
        parameters: dictionaryArrays(parameters),
        first: dictionaryArrays(first),
        second: dictionaryArrays(second),
        sinceFired: sinceFired.slice(),
        state,
      })),
    };
  }

  /** Frees parameters and moments. */
  dispose(): void {
    if (this.#ahead) disposeBatch(this.#ahead.batch);
    this.#ahead = null;
    for (const { parameters, first, second } of this.#dictionaries)
      for (const dictionary of [parameters, first, second]) disposeDictionary(dictionary);
    this.#dictionaries = [];
  }
}

function disposeBatch({ x, target, variance }: Batch): void {
  x.dispose();
  target?.dispose();
  disposeComputed(variance);
}

/**
 * Notes on how many of `rows` tokens each latent fired, and returns the sum. In one pass, because a device has nothing to do
 * while the host decides what the next step needs.
 */
function age(
  dictionary: Pick<Dictionary, 'sinceFired' | 'dead'>,
  firings: Int32Array,
  rows: number,
  deadAfter: number,
): number {
  const { sinceFired } = dictionary;
  let [fired, dead] = [0, 0];
  for (let i = 0; i < sinceFired.length; i++) {
    const count = firings[i];
    const since = count > 0 ? 0 : sinceFired[i] + rows;
    sinceFired[i] = since;
    fired += count;
    if (since >= deadAfter) dead++;
  }
  dictionary.dead = dead === 0 ? none : deadLatents(sinceFired, deadAfter);
  return fired;
}

const none = new Int32Array(0);

function deadLatents(sinceFired: Float64Array, deadAfter: number): Int32Array {
  let count = 0;
  for (const tokens of sinceFired) if (tokens >= deadAfter) count++;
  const dead = new Int32Array(count);
  for (let i = 0, at = 0; at < count; i++) if (sinceFired[i] >= deadAfter) dead[at++] = i;
  return dead;
}
