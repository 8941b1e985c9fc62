/** Process 0 of a training whose latents are spread over processes: it alone writes files, and tells the others what to do. */
import type { TrainedDictionary } from '../../autoencoders/dictionaryFile.ts';
import type { DictionaryArrays } from '../../autoencoders/dictionary.ts';
import { configuredArchitecture } from '../../autoencoders/implementations.ts';
import { LazyscopeError } from '../../errors.ts';
import { fusedKernels } from '../../ops/kernelTable.ts';
import type { StepCounts } from '../../ops/stepRecorder.ts';
import { architectures, type TrainingConfig } from '../../spec/architectures/architectures.ts';
import { isJoint } from '../../spec/jointHook.ts';
import type { BatchSource, SourceState } from '../batchSource.ts';
import { type DictionaryState, type StepMetrics, Trainer, type TrainerState } from '../trainer.ts';
import type { Communicator } from './communicator.ts';
import { gatherDictionary, scatterDictionary, shapeOf } from './latentShare.ts';
import { give } from './orders.ts';
import { spreadOver } from './spreadOver.ts';

/** Architectures whose choice of latents can be made from what each process sends of its own. */
const spreadable = [
  'topk',
  'batchtopk',
  'jumprelu',
  'relu',
] as const satisfies readonly TrainingConfig['architecture'][];

/** Throws `bad_input` where a configuration, source or backend can't be spread over processes. */
export function checkSpreadable(config: TrainingConfig, source: BatchSource, size: number): void {
  const { architecture, width, hook, skip, outputHook } = config;
  const refuse = (why: string) => {
    throw new LazyscopeError('bad_input', `${why}: leave --mpi out.`);
  };
  if (!spreadable.some((name) => name === architecture))
    refuse(
      `Of the architectures ${spreadable.map((name) => architectures[name].label).join(', ')} are spread over processes, ${architectures[architecture].label} is not`,
    );
  if (skip || outputHook !== undefined) refuse('Transcoders are not spread over processes');
  if (source.blocks) refuse('Crosscoders are not spread over processes');
  if (isJoint(hook)) refuse('Crosscoders are not spread over processes');
  if (source.ready) refuse('Training straight from a model is not spread over processes');
  if (width < size) refuse(`${width} latents can't be spread over ${size} processes`);
  const { readBack, spread, backend } = fusedKernels();
  if (readBack && !spread)
    refuse(
      `Dictionaries are spread over processes on the backends native, cuda and cpu, not on ${backend} (give --backend native)`,
    );
}

/** A trainer of the whole dictionaries, as `Trainer` is one. */
export class LeadingTrainer {
  readonly config: TrainingConfig;
  readonly scale: number;
  readonly #communicator: Communicator;
  readonly #trainer: Trainer;
  readonly #health: Health;

  /** Hands out the dictionaries of `state`. The other processes must be waiting for orders. Throws as `checkSpreadable` does. */
  constructor(
    config: TrainingConfig,
    source: BatchSource,
    { step, scale, dictionaries }: TrainerState,
    { communicator, exclusion, health }: { communicator: Communicator; exclusion: string; health: Health },
  ) {
    checkSpreadable(config, source, communicator.size);
    this.config = config;
    this.scale = scale;
    this.#communicator = communicator;
    this.#health = health;
    health.training = true;
    const shape = shapeOf(dictionaries[0].parameters);
    const states = dictionaries.map(({ state }) => ({ ...state }));
    give(communicator, {
      order: 'begin',
      config: { ...config },
      exclusion,
      source: source.state(),
      step,
      scale,
      shape,
      states,
    });
    const own = dictionaries.map((dictionary): DictionaryState => {
      communicator.broadcast(dictionary.sinceFired);
      const part = (whole: DictionaryArrays) => scatterDictionary(communicator, whole, shape);
      return {
        ...dictionary,
        parameters: part(dictionary.parameters),
        first: part(dictionary.first),
        second: part(dictionary.second),
      };
    });
    const kernels = health.built(() => spreadOver(fusedKernels(), communicator, config.width));
    this.#trainer = new Trainer(config, source, { step, scale, dictionaries: own }, kernels);
  }

  get step(): number {
    return this.#trainer.step;
  }

  /** How the steps of process 0 were made. The others decide for themselves which of theirs are launched as a whole. */
  get stepCounts(): StepCounts | null {
    return this.#trainer.stepCounts;
  }

  get position(): SourceState {
    return this.#trainer.position;
  }

  async advance(withLoss = true): Promise<StepMetrics[]> {
    give(this.#communicator, { order: 'advance', withLoss });
    return this.#health.together(() => this.#trainer.advance(withLoss));
  }

  state(): TrainerState {
    give(this.#communicator, { order: 'gather state' });
    const { dictionaries, ...rest } = this.#trainer.state();
    return {
      ...rest,
      dictionaries: dictionaries.map((own) => ({
        ...own,
        parameters: this.#gathered(own.parameters),
        first: this.#gathered(own.first),
        second: this.#gathered(own.second),
      })),
    };
  }

  dictionary(index: number): TrainedDictionary {
    give(this.#communicator, { order: 'gather parameters', index });
    const { parameters, state } = this.#trainer.state().dictionaries[index];
    return configuredArchitecture(this.config).trained(this.#gathered(parameters), state);
  }

  #gathered(own: DictionaryArrays): DictionaryArrays {
    const whole = gatherDictionary(this.#communicator, own, this.config.width);
    if (!whole) throw new TypeError('Process 0 gathers.');
    return whole;
  }

  dispose(): void {
    this.#trainer.dispose();
    if (this.#health.broken) return;
    give(this.#communicator, { order: 'end' });
    this.#health.training = false;
  }
}

/** Whether the other processes are where this one is, so that they can be told something. */
export class Health {
  broken = false;
  /** Whether the others have begun a training that hasn't ended. */
  training = false;

  /** As `together`, for what is made at once. */
  built<Result>(calls: () => Result): Result {
    try {
      return calls();
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  /** Makes calls that all processes make. When one fails here, the others wait for the rest of it, unless they fail in the same way. */
  async together<Result>(calls: () => Promise<Result>): Promise<Result> {
    try {
      return await calls();
    } catch (error) {
      this.broken ||= !failsEverywhere(error);
      throw error;
    }
  }
}

/** Divergence is noticed by all processes, after the last call of a step. */
export function failsEverywhere(error: unknown): boolean {
  return error instanceof LazyscopeError && error.code === 'bad_input';
}
