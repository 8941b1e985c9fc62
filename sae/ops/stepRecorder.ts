/**
 * Training steps that a backend records once and then launches as a whole: what a step does on the device is the same from step to step, but
 * for the batch and a few numbers.
 */
import type { AdamSettings, AuxiliaryChoice, Batch } from './trainingStep.ts';

/** One training step of one dictionary. `Pass` is what the forward pass leaves for the update, `Result` what the step has to say. */
export interface RecordableStep<Pass, Result> {
  /** Whose step it is: each dictionary has recordings of its own. */
  readonly of: object;
  readonly batch: Batch;
  readonly adam: AdamSettings;
  /** About how many entries the encoder will list; see `ThresholdSelection`. */
  readonly expected: number | undefined;
  /** λ. A recorded step with another one is not this step, unless `penalty` says what becomes of it. */
  readonly coefficient: number;
  /** What AuxK chooses from; null where nothing is dead, or there is no AuxK. */
  readonly auxiliary: AuxiliaryChoice | null;
  /** The step without a recording. */
  run(): Result;
  forward(batch: Batch): Pass;
  /** What this step has in the place of the coefficient of the penalty that `pass` had in its request; null where that has none. */
  penalty(pass: Pass): number | null;
  /** Sends what it reads back on its way. It runs between the forward pass and the update, and is never recorded. */
  measure(pass: Pass): Result;
  update(pass: Pass): void;
}

/** How many steps were made in which way. */
export interface StepCounts {
  readonly replayed: number;
  /** Kernel by kernel. */
  readonly launched: number;
  /** Why the last of those was not replayed; null where all could have been. */
  readonly why: string | null;
}

export interface StepRecorder<Pass, Result> {
  /** Makes a step. The results are those of `run`, to the bit. */
  step(step: RecordableStep<Pass, Result>): Result;
  readonly counts: StepCounts;
  /** Frees what is recorded, the passes too. */
  dispose(): void;
}
