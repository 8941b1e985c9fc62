/** Where the trainer gets activations from: a shuffled capture, or anything else that can say where it stands. */
import { z } from 'zod';

export const sourceStateSchema = z.strictObject({
  seed: z.int(),
  epoch: z.int().nonnegative(),
  position: z.int().nonnegative(),
});
export type SourceState = z.infer<typeof sourceStateSchema>;

export interface BatchSource {
  readonly d: number;
  readonly batchSize: number;
  /** The next batchSize rows, [batchSize × d]; the caller may change them. */
  next(): Float32Array;
  state(): SourceState;
  restore(state: SourceState): void;
}
