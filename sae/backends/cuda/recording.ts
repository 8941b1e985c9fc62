/** What has to hold for a captured step to be made again, and what has to be done on the host beside it. */
import type { AuxiliaryChoice } from '../../ops/trainingStep.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import { NotCapturable } from './notCapturable.ts';

/** What a step is told that may be another thing at the next one. */
export interface StepInputs {
  /** About how many entries to expect. */
  readonly expected: number | undefined;
  /** What AuxK chooses from; null where it has nothing to do. */
  readonly auxiliary: AuxiliaryChoice | null;
}

/** Where a captured step finds what changes from step to step, as addresses of float32. */
export interface StepNumbers {
  /** The learning rate with its bias correction, then that of the second moment; see `Adam` in source/adam.cuh. */
  readonly adam: bigint;
  /** The coefficient of the sparsity penalty; null where it is the same at every step, or there is none. */
  readonly penalty: bigint | null;
}

export class Recording {
  numbers: StepNumbers;
  /** Where the step finds what AuxK chooses from (source/fusedAuxiliary.cu); null where it has nothing to do. It is sent there before every replay. */
  readonly choice: DeviceBuffer | null;
  /** Whether the coefficient of the penalty is part of what was captured after all. */
  holdsPenalty = false;
  readonly #conditions: ((inputs: StepInputs) => boolean)[] = [];
  readonly #effects: (() => void)[] = [];
  /** Tensors that the step itself makes. */
  readonly #made = new Set<object>();
  #forgetHost: (dataId: object) => boolean = () => false;
  /** The addresses of all others that it reads or changes. */
  readonly #used = new Map<object, number>();

  /** `choice`: see `choice`. */
  constructor(numbers: StepNumbers, choice: DeviceBuffer | null = null) {
    this.numbers = numbers;
    this.choice = choice;
  }

  /** The step may be replayed only where this holds. */
  onlyWhere(condition: (inputs: StepInputs) => boolean): void {
    this.#conditions.push(condition);
  }

  /** To be done after every replay. */
  afterReplay(effect: () => void): void {
    this.#effects.push(effect);
  }

  made(dataId: object): void {
    this.#made.add(dataId);
  }

  used(dataId: object, { address }: DeviceBuffer): void {
    if (!this.#made.has(dataId)) this.#used.set(dataId, Number(address));
  }

  /** A tensor is to be sent to the device. Throws `NotCapturable` unless the step made it: it would be there only while the recording is. */
  checkUpload(dataId: object): void {
    if (!this.#made.has(dataId))
      throw new NotCapturable('a tensor that outlives the step had to be sent to the device');
  }

  /** The step has been captured. `forgetHost` drops what the host knows of a tensor, and says whether there still is one. */
  keepResults(forgetHost: (dataId: object) => boolean): void {
    for (const dataId of this.#made) if (!forgetHost(dataId)) this.#made.delete(dataId);
    this.#forgetHost = forgetHost;
  }

  /** The device has computed the step's tensors anew. */
  computed(): void {
    for (const dataId of this.#made) this.#forgetHost(dataId);
  }

  /** `addressOf` is where a tensor is on the device now, null where it isn't. */
  holds(inputs: StepInputs, addressOf: (dataId: object) => number | null): boolean {
    for (const [dataId, address] of this.#used) if (addressOf(dataId) !== address) return false;
    return this.#conditions.every((condition) => condition(inputs));
  }

  replayed(): void {
    for (const effect of this.#effects) effect();
  }
}
