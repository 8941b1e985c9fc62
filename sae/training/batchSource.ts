/** Where the trainer gets activations from: a shuffled capture, or anything else that can say where it stands. */
import { z } from 'zod';

export const sourceStateSchema = z.strictObject({
  seed: z.int(),
  epoch: z.int().nonnegative(),
  position: z.int().nonnegative(),
});
export type SourceState = z.infer<typeof sourceStateSchema>;

/** Batches of activations for a trainer. */
export interface BatchSource {
  readonly d: number;
  readonly batchSize: number;
  /** The next batchSize rows, [batchSize × d]; the caller may change them. */
  next(): Float32Array;
  /** Where the source stands, as plain data. */
  state(): SourceState;
  /** Goes back, or on, to where a source with that state stood. */
  restore(state: SourceState): void;
}
