/**
 * Training steps as CUDA graphs: after a step has been made kernel by kernel, the next one of its kind is captured, in two graphs, the forward
 * pass and the update, and later ones are launched. Between the two, what the step has to say is read back, as always.
 *
 * A captured step has its tensors at fixed addresses. The batch is copied there, and the numbers that change at every step (learning rate, bias
 * corrections, coefficient of the penalty) are in memory of the device. Whatever else a step depends on is a condition of its recording
 * (`Recording`); where none holds, the step is made kernel by kernel, and `counts` says why.
 */
import type { AuxiliaryChoice, Batch } from '../../ops/fusedKernels.ts';
import type { RecordableStep, StepCounts, StepRecorder } from '../../ops/stepRecorder.ts';
import { tf, type Tensor } from '../../tensor/tf.ts';
import type { CudaBackend } from './cudaBackend.ts';
import type { DeviceBuffer } from './deviceMemory.ts';
import { placesFor, wordsOf } from './fused/auxiliaryPlaces.ts';
import { ofStep } from './fused/updateArguments.ts';
import { Graph } from './graph.ts';
import { GraphMemory } from './graphMemory.ts';
import { NotCapturable } from './notCapturable.ts';
import { Recording } from './recording.ts';

/** Recordings of one dictionary. The lists of what fires have room for a power of two, and two of these alternate at most. */
const mostRecordings = 3;
/** So many captures in a row that fail, or that no later step can use, are enough. */
const mostFailures = 3;
/** After so many steps in a row kernel by kernel, recordings only take memory, and what was in the way of one may be gone. */
const unusedAfter = 100;

interface Recorded<Pass> {
  readonly pass: Pass;
  readonly recording: Recording;
  readonly coefficient: number;
  readonly varies: boolean;
  /** The coefficient of the penalty, and whether it is part of the graphs. What a coefficient of 0 leaves out always is. */
  readonly penalty: number | null;
  readonly holdsPenalty: boolean;
  readonly forward: Graph;
  readonly update: Graph;
}

interface OfDictionary<Pass> {
  recorded: Recorded<Pass>[];
  /** Whether its last step was made kernel by kernel, and nothing had to be compiled for it. */
  warm: boolean;
  failures: number;
  /** λ of its last step, and whether a recording is of use only while λ stays what it is. */
  coefficient: number;
  steady: boolean;
  unused: number;
}

type Step<Pass, Result> = RecordableStep<Pass, Result>;

export class CudaStepRecorder<Pass extends { dispose(): void }, Result> implements StepRecorder<
  Pass,
  Result
> {
  readonly #backend: CudaBackend;
  /** What was noted of the last step's tensors is no longer so. */
  readonly #forget: () => void;
  readonly #own: (choice: AuxiliaryChoice) => AuxiliaryChoice;
  readonly #memory = new GraphMemory();
  readonly #dictionaries = new Map<object, OfDictionary<Pass>>();
  readonly #letGo = () => this.#drop();
  #batch: Batch | null = null;
  /** The batch that it is a copy of. */
  #copied: Batch | null = null;
  #numbers: DeviceBuffer | null = null;
  /** What AuxK chooses from, by how many latents there is room for. */
  readonly #choices = new Map<number, DeviceBuffer>();
  #counts = { replayed: 0, launched: 0, why: null as string | null };
  /** Whether a graph is being made or launched, so that none may be destroyed. */
  #busy = false;

  /** `own`: the dead latents that this device has, where others have some too. */
  constructor(
    backend: CudaBackend,
    forget: () => void,
    own: (choice: AuxiliaryChoice) => AuxiliaryChoice = (choice) => choice,
  ) {
    this.#backend = backend;
    this.#own = own;
    this.#forget = forget;
    backend.memoryPool.shortage.add(this.#letGo);
  }

  get counts(): StepCounts {
    return { ...this.#counts };
  }

  step(step: Step<Pass, Result>): Result {
    this.#forget();
    const own = this.#of(step.of);
    const why = this.#refusal();
    if (why !== null) return this.#launched(step, own, why);
    const found = own.recorded.find((recorded) => this.#holds(recorded, step));
    if (found) return this.#replayed(found, step, own);
    const moves = own.steady && own.coefficient !== step.coefficient;
    if (!own.warm || moves || own.failures >= mostFailures)
      return this.#launched(
        step,
        own,
        own.failures > 0 ? this.#counts.why : 'No step like it is recorded yet.',
      );
    own.warm = false;
    own.coefficient = step.coefficient;
    return this.#recorded(step, own);
  }

  dispose(): void {
    this.#backend.memoryPool.shortage.delete(this.#letGo);
    this.#drop();
    if (this.#numbers) this.#backend.give(this.#numbers);
    this.#numbers = null;
    for (const choice of this.#choices.values()) this.#backend.give(choice);
    this.#choices.clear();
    this.#dictionaries.clear();
  }

  #of(dictionary: object): OfDictionary<Pass> {
    let own = this.#dictionaries.get(dictionary);
    if (!own) {
      own = { recorded: [], warm: false, failures: 0, coefficient: NaN, steady: false, unused: 0 };
      this.#dictionaries.set(dictionary, own);
    }
    return own;
  }

  #refusal(): string | null {
    if (!this.#backend.graphs) return 'Graphs are switched off.';
    if (this.#backend.programs.isTiming) return 'The time of each kernel is measured.';
    return null;
  }

  /** Kernel by kernel. */
  #launched(step: Step<Pass, Result>, own: OfDictionary<Pass>, why: string | null): Result {
    const { programs, products } = this.#backend;
    const compiled = () => programs.loads + products.plans;
    const before = compiled();
    own.unused++;
    own.coefficient = step.coefficient;
    if (own.unused % unusedAfter === 0) {
      own.failures = 0;
      this.#dropOf(own);
      if ([...this.#dictionaries.values()].every(({ recorded }) => recorded.length === 0)) this.#drop();
    }
    const result = step.run();
    own.warm = compiled() === before;
    this.#counts = { ...this.#counts, launched: this.#counts.launched + 1, why };
    return result;
  }

  #holds(
    { pass, recording, coefficient, varies, penalty, holdsPenalty }: Recorded<Pass>,
    step: Step<Pass, Result>,
  ): boolean {
    if (!varies && coefficient !== step.coefficient) return false;
    const now = step.penalty(pass);
    if (holdsPenalty ? penalty !== now : (penalty === 0) !== (now === 0)) return false;
    if (!this.#batch || !sameShape(this.#batch, step.batch)) return false;
    return recording.holds(step, (dataId) => this.#backend.addressOf(dataId));
  }

  #replayed(recorded: Recorded<Pass>, step: Step<Pass, Result>, own: OfDictionary<Pass>): Result {
    const { pass, recording, forward, update } = recorded;
    own.unused = 0;
    own.failures = 0;
    this.#busy = true;
    try {
      this.#copyBatch(step.batch);
      this.#upload(step, pass, recording);
      forward.launch();
      recording.computed();
      const result = step.measure(pass);
      update.launch();
      recording.replayed();
      this.#counts = { ...this.#counts, replayed: this.#counts.replayed + 1 };
      return result;
    } finally {
      this.#busy = false;
    }
  }

  /** Captures a step, and launches it. */
  #recorded(step: Step<Pass, Result>, own: OfDictionary<Pass>): Result {
    if (!this.#batch || !sameShape(this.#batch, step.batch)) {
      this.#drop();
      this.#batch = memoryFor(this.#backend, step.batch);
    }
    const batch = this.#batch;
    this.#busy = true;
    this.#memory.begin();
    try {
      this.#copyBatch(step.batch);
      const numbers = (this.#numbers ??= this.#backend.scratch(4 * numberCount));
      const choice = step.auxiliary && this.#choiceOf(step.auxiliary);
      const recording = new Recording({ adam: numbers.address, penalty: null }, choice);
      recording.onlyWhere(({ auxiliary }) => (auxiliary === null) === (choice === null));
      this.#noteSettings(recording);
      const made: { pass: Pass | null } = { pass: null };
      const forward = this.#capture(recording, () => {
        made.pass = step.forward(batch);
      });
      const { pass } = made;
      if (typeof forward === 'string' || !pass)
        return this.#failed(step, own, typeof forward === 'string' ? forward : 'it made nothing');
      const varies = step.penalty(pass) !== null;
      recording.numbers = {
        adam: numbers.address,
        penalty: varies ? numbers.address + BigInt(4 * penaltyAt) : null,
      };
      this.#upload(step, pass, recording);
      forward.launch();
      const result = step.measure(pass);
      const update = this.#capture(recording, () => step.update(pass));
      if (typeof update === 'string') {
        step.update(pass);
        pass.dispose();
        forward.destroy();
        this.#note(own, update);
        return result;
      }
      update.launch();
      recording.keepResults((dataId) => this.#backend.forgetHost(dataId));
      // One that is never replayed was of no use.
      own.failures++;
      const { coefficient } = step;
      const { holdsPenalty } = recording;
      const penalty = step.penalty(pass);
      own.steady = !varies || holdsPenalty;
      own.recorded.push({ pass, recording, coefficient, varies, penalty, holdsPenalty, forward, update });
      if (own.recorded.length > mostRecordings) for (const old of own.recorded.splice(0, 1)) destroy(old);
      this.#counts = { ...this.#counts, launched: this.#counts.launched + 1, why: 'It was being recorded.' };
      return result;
    } finally {
      this.#forget();
      this.#memory.end();
      this.#busy = false;
    }
  }

  /** A graph of what `run` does, or why there is none. */
  #capture(recording: Recording, run: () => void): Graph | string {
    const { memoryPool, device } = this.#backend;
    const scope = tf.engine();
    scope.startScope('recording');
    let tensors: Tensor[] = [];
    this.#backend.recording = recording;
    try {
      return memoryPool.capture(
        this.#memory,
        () =>
          new Graph(device, () => {
            run();
            // Those that the pass keeps are its own to dispose.
            tensors = scope.state.activeScope.track;
          }),
      );
    } catch (error) {
      if (!(error instanceof NotCapturable)) throw error;
      return error.message;
    } finally {
      this.#backend.recording = null;
      scope.endScope(tensors);
    }
  }

  #failed(step: Step<Pass, Result>, own: OfDictionary<Pass>, why: string): Result {
    const result = this.#launched(step, own, null);
    this.#note(own, why);
    return result;
  }

  #note(own: OfDictionary<Pass>, why: string): void {
    own.failures++;
    this.#counts = { ...this.#counts, why: `A step can't be recorded, because ${why}.` };
  }

  /** What is set between steps, and changes what the kernels are. */
  #noteSettings(recording: Recording): void {
    const backend = this.#backend;
    const { storage, productType, screening } = backend;
    recording.onlyWhere(
      () =>
        backend.storage === storage && backend.productType === productType && backend.screening === screening,
    );
  }

  /** All dictionaries are given the same batch. */
  #copyBatch(batch: Batch): void {
    const to = this.#batch;
    if (!to || this.#copied === batch) return;
    this.#copied = batch;
    for (const [from, target] of tensorsOf(batch, to)) {
      const bytes = 4 * from.size;
      this.#backend.copy(this.#backend.buffer(from), this.#backend.buffer(target), bytes);
    }
  }

  /** Memory for what AuxK chooses from, as long as no more latents are dead than there are places for. */
  #choiceOf(choices: AuxiliaryChoice): DeviceBuffer {
    const places = placesFor(this.#own(choices).dead.length);
    const choice = this.#choices.get(places) ?? this.#backend.scratch(4 * (2 + places));
    this.#choices.set(places, choice);
    return choice;
  }

  #upload(step: Step<Pass, Result>, pass: Pass, { choice }: Recording): void {
    if (choice && step.auxiliary) this.#backend.transfers.upload(wordsOf(this.#own(step.auxiliary)), choice);
    if (!this.#numbers) return;
    const values = Float32Array.of(...ofStep(step.adam), step.penalty(pass) ?? 0);
    this.#backend.transfers.upload(values, this.#numbers);
  }

  /** Lets go of all recordings, unless one is at work. */
  #drop(): void {
    if (this.#busy) return;
    for (const own of this.#dictionaries.values()) this.#dropOf(own);
    if (this.#batch) for (const [tensor] of tensorsOf(this.#batch, this.#batch)) tensor.dispose();
    this.#batch = null;
    this.#copied = null;
    this.#backend.memoryPool.giveAll(this.#memory);
  }

  #dropOf(own: OfDictionary<Pass>): void {
    for (const recorded of own.recorded.splice(0)) destroy(recorded);
  }
}

/** Rate and root of Adam, and the coefficient of the penalty. */
const [numberCount, penaltyAt] = [3, 2];

function destroy<Pass extends { dispose(): void }>({ pass, forward, update }: Recorded<Pass>): void {
  pass.dispose();
  forward.destroy();
  update.destroy();
}

/** The tensors of a batch and their like in another one. */
function tensorsOf(from: Batch, to: Batch): [Tensor, Tensor][] {
  const pairs: [Tensor, Tensor][] = [[from.x, to.x]];
  if (from.target && to.target && from.target !== from.x) pairs.push([from.target, to.target]);
  if (from.variance instanceof tf.Tensor && to.variance instanceof tf.Tensor)
    pairs.push([from.variance, to.variance]);
  return pairs;
}

function sameShape(a: Batch, b: Batch): boolean {
  const describe = ({ x, target, variance, blocks }: Batch) =>
    JSON.stringify([x.shape, target?.shape, target === x, typeof variance, blocks && [...blocks]]);
  return describe(a) === describe(b);
}

/** Tensors of the same shapes, with undefined contents. */
function memoryFor(backend: CudaBackend, { x, target, blocks, variance }: Batch): Batch {
  const like = <T extends Tensor>({ shape }: T) =>
    tf.engine().makeTensorFromTensorInfo(backend.output(shape, 'float32').info) as T;
  const own = like(x);
  return {
    x: own,
    ...(target && { target: target === x ? own : like(target) }),
    ...(blocks && { blocks }),
    variance: typeof variance === 'number' ? variance : like(variance),
  };
}
