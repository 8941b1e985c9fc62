/**
 * The training loop's core: some dictionaries that differ only in the seed of their initialisation, fed the same
 * batches (as in Paulo & Belrose, 2501.16615: same data, same order). It knows nothing of files.
 */
import type { ForwardPass, StepSettings } from '../autoencoders/architecture.ts';
import type { TrainingState } from '../spec/architectures/architecture.ts';
import { type DictionaryArrays, dictionaryArrays, dictionaryVariables, disposeDictionary } from '../autoencoders/dictionary.ts'; // prettier-ignore
import { auxiliaryAmong } from '../autoencoders/auxK.ts';
import { type ConfiguredArchitecture, configuredArchitecture } from '../autoencoders/implementations.ts';
import type { TrainedDictionary } from '../autoencoders/dictionaryFile.ts';
import type { Measured } from '../autoencoders/measure.ts';
import { LazyscopeError } from '../errors.ts';
import { disposeComputed } from '../ops/computed.ts';
import type { AdamSettings, Batch, DictionaryVariables, FusedKernels } from '../ops/fusedKernels.ts';
import { fusedKernels } from '../ops/kernelTable.ts';
import { disposeBatch } from '../ops/trainingStep.ts';
import type { StepCounts, StepRecorder } from '../ops/stepRecorder.ts';
import { settingOf, type TrainingConfig } from '../spec/architectures/architectures.ts';
import type { BatchSource, SourceState } from './batchSource.ts';
import { age, deadLatents } from './firingAges.ts';
import { updateSkip, withoutSkip } from './skipConnection.ts';
import { withMemoryAdvice } from './memoryAdvice.ts';
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

/** A device that dictionaries are trained on. */
interface TrainingDevice {
  readonly kernels: FusedKernels;
  readonly recorder: StepRecorder<ForwardPass, Promise<Measured>> | null;
}

interface Dictionary {
  /** The place of its device among the trainer's. */
  readonly device: number;
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

/** Trains dictionaries that differ only in their seed, step by step, without files. It holds tensors: dispose it. */
export class Trainer {
  readonly config: TrainingConfig;
  readonly scale: number;
  /** Dictionaries are dealt out to them in turn. */
  #devices: readonly TrainingDevice[];
  #architecture: ConfiguredArchitecture;
  #source: BatchSource;
  #dictionaries: Dictionary[];
  #step: number;
  /** The batch of the next step, on its way to each device, and where the source stood before it. */
  #ahead: { batches: readonly Batch[]; position: SourceState } | null = null;

  /** Memory of the host for the batch in use and for the one sent ahead, in turn, where the kernels have it (`batchMemory`). */
  readonly #memory: { readonly x: Float32Array; readonly outputs: Float32Array | undefined }[] = [];
  #turn = 1;

  /** Takes over the arrays of `state`. `kernels` are those of the active backend unless a benchmark wraps them. */
  constructor(config: TrainingConfig, source: BatchSource, state: TrainerState, kernels = fusedKernels()) {
    this.#devices = (kernels.devices ?? [kernels])
      .slice(0, config.seeds.length)
      .map((own) => ({ kernels: own, recorder: own.stepRecorder?.() ?? null }));
    this.config = config;
    this.scale = state.scale;
    this.#architecture = configuredArchitecture(config);
    this.#source = source;
    this.#step = state.step;
    this.#dictionaries = state.dictionaries.map(({ parameters, first, second, sinceFired, state }, index) => {
      const device = index % this.#devices.length;
      return {
        device,
        ...this.#on(device, () => ({
          parameters: dictionaryVariables(parameters),
          first: dictionaryVariables(first),
          second: dictionaryVariables(second),
        })),
        sinceFired,
        dead: deadLatents(sinceFired, config.deadAfter),
        state,
        listed: undefined,
      };
    });
  }

  /** How the steps of each dictionary were made, where the backend can record them. */
  get stepCounts(): StepCounts | null {
    const counts = this.#devices.flatMap(({ recorder }) => recorder?.counts ?? []);
    if (counts.length === 0) return null;
    const sum = (part: 'replayed' | 'launched') => counts.reduce((total, each) => total + each[part], 0);
    const why = counts.find((each) => each.why !== null)?.why ?? null;
    return { replayed: sum('replayed'), launched: sum('launched'), why };
  }

  #on<T>(device: number, run: () => T): T {
    const { kernels } = this.#devices[device];
    return kernels.on ? kernels.on(run) : run();
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
    try {
      return await this.#advance(withLoss);
    } catch (error) {
      const seeds = Math.ceil(this.config.seeds.length / this.#devices.length);
      throw withMemoryAdvice(error, this.config, { d: this.#source.d, seeds });
    }
  }

  async #advance(withLoss: boolean): Promise<StepMetrics[]> {
    const { config } = this;
    const batches = this.#ahead?.batches ?? this.#send();
    this.#ahead = null;
    try {
      const [rows] = batches[0].x.shape;
      const results = Promise.all(
        this.#dictionaries.map((dictionary) =>
          this.#update(dictionary, batches[dictionary.device], withLoss, dictionary.listed),
        ),
      );
      this.#sendAhead();
      const attempts = await results;
      // Where the device was told to expect too different a number of entries, nothing has changed but time.
      const measured = await Promise.all(
        attempts.map((attempt, index) =>
          attempt.valid
            ? attempt
            : this.#update(
                this.#dictionaries[index],
                batches[this.#dictionaries[index].device],
                withLoss,
                undefined,
              ),
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
      this.#disposeBatches(batches);
    }
  }

  /** The next batch, on every device. */
  #send(): Batch[] {
    const devices = this.#devices.map(({ kernels }) => kernels);
    const { blocks } = this.#source;
    const there = this.#source.batches?.(this.scale, devices);
    // A crosscoder's encoder doesn't subtract b_dec, as a transcoder's doesn't.
    if (there) return blocks ? there.map((batch) => ({ ...batch, target: batch.x, blocks })) : there;
    const memory = this.#hostMemory();
    const values = this.#source.next(memory?.x);
    const outputs = this.#source.outputs?.(memory?.outputs);
    return this.#devices.map(({ kernels }, device) =>
      this.#on(device, () => this.#batchOf(kernels, values, outputs)),
    );
  }

  /** What the batch before the last was in: its step is done when the next batch is asked for. */
  #hostMemory() {
    const { kernels } = this.#devices[0];
    const { batchMemory } = kernels;
    if (!batchMemory) return null;
    this.#turn = 1 - this.#turn;
    const { batchSize, d, outputWidth = d, outputs } = this.#source;
    return (this.#memory[this.#turn] ??= this.#on(0, () => ({
      x: batchMemory(batchSize * d),
      outputs: outputs && batchMemory(batchSize * outputWidth),
    })));
  }

  #batchOf(kernels: FusedKernels, values: Float32Array, outputs: Float32Array | undefined): Batch {
    const source = this.#source;
    const { x, variance } = kernels.scaledBatch(values, source.d, this.scale);
    if (!outputs) return source.blocks ? { x, target: x, blocks: source.blocks, variance } : { x, variance };
    disposeComputed(variance);
    // One scale for both, so that the dictionary that acts on raw activations is the trained one with smaller biases.
    const target = kernels.scaledBatch(outputs, source.outputWidth ?? source.d, this.scale);
    return { x, target: target.x, variance: target.variance };
  }

  /** While a device computes, the host has time to read the next batch and to send it. */
  #sendAhead(): void {
    if (!this.#devices[0].kernels.readBack || this.#step + 1 >= totalSteps(this.config)) return;
    const position = this.#source.state();
    try {
      this.#ahead = { batches: this.#send(), position };
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
    expected: number | undefined,
  ): Promise<Measured> {
    return this.#on(dictionary.device, () => this.#updateHere(dictionary, batch, withLoss, expected));
  }

  #updateHere(
    dictionary: Dictionary,
    batch: Batch,
    withLoss: boolean,
    expected: number | undefined,
  ): Promise<Measured> {
    const { config } = this;
    const { parameters, first, second, dead, state } = dictionary;
    const settings: StepSettings = {
      sparsityCoefficient: sparsityCoefficientAt(config, this.#step),
      dead,
      expected,
      state,
    };
    const { kernels, recorder } = this.#devices[dictionary.device];
    const adam: AdamSettings = {
      learningRate: learningRateAt(config, this.#step),
      beta1: config.beta1,
      beta2: config.beta2,
      epsilon: config.epsilon,
      step: this.#step + 1,
      clipNorm: config.clipNorm,
      unitNormDecoder: this.#architecture.unitNormDecoder,
    };
    const forward = (read: Batch): ForwardPass => {
      if (!parameters.wSkip) return this.#architecture.forward(kernels, parameters, read, settings);
      // The latents predict what the skip connection leaves over.
      const left = withoutSkip(read, parameters.wSkip);
      const pass = this.#architecture.forward(kernels, parameters, left, settings);
      return {
        ...pass,
        dispose() {
          pass.dispose();
          left.target?.dispose();
        },
      };
    };
    const update = ({ request }: ForwardPass) => {
      kernels.update(request, { first, second }, adam);
      if (parameters.wSkip) updateSkip(kernels, request, { first, second }, adam);
    };
    const run = (): Promise<Measured> => {
      const pass = forward(batch);
      try {
        const measured = pass.measure(withLoss);
        // Where the error is at hand, a step that diverged leaves the parameters as they were.
        if (typeof pass.squaredError !== 'number' || Number.isFinite(pass.squaredError)) update(pass);
        return measured;
      } finally {
        pass.dispose();
      }
    };
    if (!recorder) return run();
    return recorder.step({
      of: dictionary,
      batch,
      adam,
      expected,
      coefficient: settings.sparsityCoefficient,
      auxiliary: auxiliaryAmong(parameters.bDec.size, dead, settingOf(config, 'auxCoefficient') ?? 0),
      run,
      forward,
      penalty: (pass) => pass.penalty?.(settings) ?? null,
      measure: (pass) => pass.measure(withLoss, settings),
      update,
    });
  }

  /** The dictionary of one seed as it is now, copied, in units of the scaled activations. */
  dictionary(index: number): TrainedDictionary {
    const { device, parameters, state } = this.#dictionaries[index];
    return this.#architecture.trained(
      this.#on(device, () => dictionaryArrays(parameters)),
      state,
    );
  }

  /** A copy that later steps don't change. */
  state(): TrainerState {
    return {
      step: this.#step,
      scale: this.scale,
      dictionaries: this.#dictionaries.map(({ device, parameters, first, second, sinceFired, state }) => ({
        ...this.#on(device, () => ({
          parameters: dictionaryArrays(parameters),
          first: dictionaryArrays(first),
          second: dictionaryArrays(second),
        })),
        sinceFired: sinceFired.slice(),
        state,
      })),
    };
  }

  /** Frees parameters and moments. */
  dispose(): void {
    this.#devices.forEach(({ recorder }, device) => this.#on(device, () => recorder?.dispose()));
    if (this.#ahead) this.#disposeBatches(this.#ahead.batches);
    this.#ahead = null;
    const { giveBatchMemory } = this.#devices[0].kernels;
    for (const { x, outputs } of this.#memory.splice(0))
      for (const values of [x, ...(outputs ? [outputs] : [])]) this.#on(0, () => giveBatchMemory?.(values));
    for (const { device, parameters, first, second } of this.#dictionaries)
      this.#on(device, () => {
        for (const dictionary of [parameters, first, second]) disposeDictionary(dictionary);
      });
    this.#dictionaries = [];
  }

  #disposeBatches(batches: readonly Batch[]): void {
    batches.forEach((batch, device) => this.#on(device, () => disposeBatch(batch)));
  }
}
