/** What every training step is given: a batch, and how to take it. */
import type { Tensor2D } from '../tensor/tf.ts';
import { type Computed, disposeComputed } from './computed.ts';

export interface Batch {
  readonly x: Tensor2D; // [batch, d]
  /** y [batch, d], what a transcoder predicts; absent for autoencoders, which predict x. */
  readonly target?: Tensor2D;
  /**
   * Of crosscoders: ends of the blocks of x's columns, one a hook point, ascending. The size of a decoder row is then the sum of its blocks' norms
   * (`GradientRequest`). `target` is x itself.
   */
  readonly blocks?: Int32Array | undefined;
  /** Σ_b ‖x − x̄‖², x̄ the mean of the batch; of y where there is one. */
  readonly variance: Computed;
}

/** Frees the tensors of a batch. */
export function disposeBatch({ x, target, variance }: Batch): void {
  x.dispose();
  target?.dispose();
  disposeComputed(variance);
}

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Number of the update, from 1, for Adam's bias correction. */
  readonly step: number;
  /** The gradient of all parameters together is scaled down to this norm before the update; null for no clipping. */
  readonly clipNorm: number | null;
  /**
   * Whether to scale decoder rows to size 1 after the update (see `blocks`), and to remove from their gradient, before it, the part along the
   * gradient of the size, which without blocks is the row's own direction.
   */
  readonly unitNormDecoder: boolean;
}

/** The latents that AuxK chooses from, and how. */
export interface AuxiliaryChoice {
  /** Latents that may be chosen, at least one, ascending. */
  readonly dead: Int32Array;
  /** Most that are chosen of a row; all of the dead ones where they are fewer. */
  readonly most: number;
  /** The term's scale is this over Σ_b ‖e − ē‖², e the error of the main reconstruction. */
  readonly numerator: number;
}
